"""PostgreSQL: the update log in sixteen parts, by a hash of the document's id.

What one document writes lies in one part, so that indexes stay small and vacuum works on a part at a time. The table
has its name and its columns as before: programs of the last version go on with it.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PARTS = 16
_KEY = "PRIMARY KEY (document_id, generation, seq)"
_OWNER = "FOREIGN KEY (document_id) REFERENCES documents (id) ON DELETE CASCADE"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _set_aside()
    op.execute("CREATE TABLE updates (LIKE updates_before) PARTITION BY HASH (document_id)")
    for part in range(_PARTS):
        which = f"MODULUS {_PARTS}, REMAINDER {part}"
        op.execute(f"CREATE TABLE updates_part_{part} PARTITION OF updates FOR VALUES WITH ({which})")
    _fill()


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _set_aside()
    op.execute("CREATE TABLE updates (LIKE updates_before)")
    _fill()


def _set_aside() -> None:
    op.execute("ALTER TABLE updates RENAME TO updates_before")
    op.execute("ALTER TABLE updates_before DROP CONSTRAINT pk_updates, DROP CONSTRAINT fk_updates_documents")


def _fill() -> None:
    """Take over what there is, and drop what it was in."""
    op.execute("INSERT INTO updates SELECT * FROM updates_before")
    op.execute("DROP TABLE updates_before")
    op.execute(f"ALTER TABLE updates ADD CONSTRAINT pk_updates {_KEY}, ADD CONSTRAINT fk_updates_documents {_OWNER}")
