"""Runs the migrations on the connection that coscribe.storage.migrate opened, inside its transaction."""

from alembic import context

from coscribe.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The caller's transaction holds every migration of this run: all of them or none.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
