"""What exists and who may see it: records, access, search, harvest formats."""
