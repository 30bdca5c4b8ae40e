"""Run the migrations on the connection that `pancommons.store.migrate` opened."""

from alembic import context

from pancommons.store.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True, compare_type=True)
context.run_migrations()
