"""Answers of several catalogues as one: their order, their duplicates, their pages. Nothing here asks anybody."""
