"""The Python client of the server's REST interface."""
