"""Errors, settings, the machine's allowance, digests and durable files: nothing that knows a domain."""
