"""Signing in: at a provider of OpenID Connect, with a personal token, or for a program on another machine."""
