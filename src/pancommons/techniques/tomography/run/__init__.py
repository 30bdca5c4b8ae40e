"""A reconstruction as a run: its plan, its stages, what the kernels are given."""
