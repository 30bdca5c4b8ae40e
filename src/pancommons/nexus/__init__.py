"""NeXus and HDF5: reading what instruments really write, and writing files that every viewer opens well.

The room knows the format and no technique. Read with `read` (open, entries, texts, numbers), `plot` (the
default plot) and `links` (which other files a file needs); write with `write`; `units` understands unit
texts, `text` strings in all their shapes, `thumbnail` draws the small picture of a file.
"""
