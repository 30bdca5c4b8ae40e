"""Runs and pipelines over HTTP."""
