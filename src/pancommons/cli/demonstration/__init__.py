"""A commons in one folder: data with a known answer, a portal on loopback, runs; and what proves that it works."""
