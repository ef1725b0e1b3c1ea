"""Damage that an operator knows of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accepted",
        sa.Column("document_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "reason", name="pk_accepted"),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_accepted_documents", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("accepted")
