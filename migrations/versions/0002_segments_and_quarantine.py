"""Segments of packed entries, and the quarantine of rows that cannot be read."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segments",
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "generation", "last_seq", name="pk_segments"),
        _of_document("segments"),
    )
    op.create_table(
        "quarantine",
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("document_id", "generation", "what", "seq", name="pk_quarantine"),
        _of_document("quarantine"),
    )


def downgrade() -> None:
    op.drop_table("quarantine")
    op.drop_table("segments")


def _of_document(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=f"fk_{table}_documents", ondelete="CASCADE")
