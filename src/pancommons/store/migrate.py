"""Bringing a database to the newest version of its tables."""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pancommons.base.errors import BadInput
from pancommons.store.engine import Database
from pancommons.store.turns import Turn, take_turn


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the tables to the newest version, in one transaction; an empty database gets them all.

    Of several processes that do so at once one does, and the others find it done.

    Returns
    -------
    before, after
        Versions; None for an empty database.

    Raises
    ------
    BadInput
        If a newer release of the program made the tables.
    """
    with as_file(files("pancommons.store") / "migrations") as folder, database.write() as connection:
        take_turn(connection, Turn.TABLES)
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        scripts = ScriptDirectory.from_config(config)
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and before not in {script.revision for script in scripts.walk_revisions()}:
            raise BadInput(
                f"the database is of version {before}, which this release does not know",
                file=database.writer.url.render_as_string(hide_password=True),
                remedy="install the release that made it, or a newer one",
            )
        command.upgrade(config, "head")
        return before, str(scripts.get_current_head())


def version(database: Database) -> str | None:
    """Return the version of the tables; None where there are none."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()
