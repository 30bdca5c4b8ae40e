"""From counts to transmission and line integrals."""
