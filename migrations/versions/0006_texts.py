"""The words of texts, by which documents are found; PostgreSQL keeps an index of them too.

Programs of the last version do not know the table, and their writing goes on without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Not to_tsvector: it would cut the words by rules of its own, which depend on the locale.
_SEARCHED = "array_to_tsvector(array_remove(string_to_array(words, ' '), ''))"


def upgrade() -> None:
    op.create_table(
        "texts",
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("document_id", name="pk_texts"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_texts_documents", ondelete="CASCADE"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE texts ADD COLUMN searched tsvector GENERATED ALWAYS AS ({_SEARCHED}) STORED")
        op.execute("CREATE INDEX ix_texts_searched ON texts USING gin (searched)")


def downgrade() -> None:
    op.drop_table("texts")
