"""Searching several catalogues as one: asking them over HTTP, and the routes below ``/federated``."""
