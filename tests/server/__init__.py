"""The server, really listening on loopback."""
