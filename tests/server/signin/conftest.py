"""A real provider, and both databases."""

from tests.oidc import openid

__all__ = ["openid"]
