"""The database: its engine, what SQLite and PostgreSQL do differently, and the migrations."""
