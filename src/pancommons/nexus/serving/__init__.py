"""Showing HDF5 files to somebody who is not trusted, made by somebody who is not trusted either.

What a file refers to is followed only inside given folders, and how much may be read is decided before it is.
Made to run in a process of its own, see `reader`.
"""
