"""The catalogue from and to the formats of other catalogues, and whole from and to a file."""
