"""Raw scans of bodies that are known."""
