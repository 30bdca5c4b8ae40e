"""Where the axis is, and the sinograms about it: angles, centres, tilts, wide fields."""
