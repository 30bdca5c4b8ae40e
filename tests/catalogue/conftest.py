"""The tests here run on both databases."""

from tests.databases import database, empty_postgresql, empty_sqlite, new_database, postgresql

__all__ = ["database", "empty_postgresql", "empty_sqlite", "new_database", "postgresql"]
