"""The first tables: documents, their update log, and who may do what with them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _documents_and_log()
    _activity()
    _access()
    _principals()


def downgrade() -> None:
    for table in (
        "tokens",
        "sessions",
        "principals",
        "visits",
        "grants",
        "links",
        "activity",
        "snapshots",
        "client_ids",
        "updates",
        "documents",
    ):
        op.drop_table(table)


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _words(name: str) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _bytes(name: str) -> sa.Column:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _of_document(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=f"fk_{table}_documents", ondelete="CASCADE")


def _of_principal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["principal_id"], ["principals.id"], name=f"fk_{table}_principals", ondelete="CASCADE"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _documents_and_log() -> None:
    op.create_table(
        "documents",
        _words("id"),
        _words("title"),
        _words("title_folded"),
        sa.Column("title_by_hand", sa.Boolean, nullable=False),
        _words("language"),
        _words("owner_id"),
        _number("generation"),
        _number("seq"),
        _words("access"),
        _moment("created_at"),
        _moment("updated_at"),
        _moment("trashed_at", nullable=True),
        _key("documents", "id"),
    )
    op.create_index("ix_documents_owner_id_updated_at", "documents", ["owner_id", "updated_at"])
    op.create_table(
        "updates",
        _words("document_id"),
        _number("generation"),
        _number("seq"),
        _words("principal_id"),
        _words("session_id"),
        _moment("at"),
        _bytes("payload"),
        _bytes("checksum"),
        _key("updates", "document_id", "generation", "seq"),
        _of_document("updates"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "client_ids",
        _words("document_id"),
        _number("generation"),
        _number("client_id"),
        _words("principal_id"),
        _key("client_ids", "document_id", "generation", "client_id"),
        _of_document("client_ids"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshots",
        _words("document_id"),
        _number("generation"),
        _number("seq"),
        _words("codec"),
        _words("engine"),
        _bytes("state"),
        _bytes("checksum"),
        _key("snapshots", "document_id", "generation", "seq"),
        _of_document("snapshots"),
    )


def _activity() -> None:
    op.create_table(
        "activity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        _words("document_id"),
        _number("seq"),
        _words("kind"),
        _words("principal_id"),
        _words("name"),
        _moment("at"),
        sa.Column("data", sa.JSON, nullable=False),
        _key("activity", "id"),
        _of_document("activity"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_document_id_id", "activity", ["document_id", "id"])


def _access() -> None:
    op.create_table(
        "links",
        _words("document_id"),
        _words("id"),
        _words("role"),
        _words("secret_sha256"),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        _key("links", "document_id", "id"),
        _of_document("links"),
    )
    op.create_index("ix_links_secret_sha256", "links", ["secret_sha256"], unique=True)
    op.create_table(
        "grants",
        _words("document_id"),
        _words("principal_id"),
        _words("link_id"),
        _key("grants", "document_id", "principal_id", "link_id"),
        sa.ForeignKeyConstraint(
            ["document_id", "link_id"],
            ["links.document_id", "links.id"],
            name="fk_grants_links",
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_grants_principal_id", "grants", ["principal_id"])
    op.create_index("ix_grants_document_id_link_id", "grants", ["document_id", "link_id"])
    op.create_table(
        "visits",
        _words("document_id"),
        _words("principal_id"),
        _moment("at"),
        _key("visits", "document_id", "principal_id"),
        _of_document("visits"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_visits_principal_id", "visits", ["principal_id"])


def _principals() -> None:
    op.create_table(
        "principals",
        _words("id"),
        _words("kind"),
        _words("name"),
        sa.Column("colour", sa.Integer, nullable=False),
        _key("principals", "id"),
    )
    op.create_table(
        "sessions",
        _words("secret_sha256"),
        _words("principal_id"),
        _moment("expires_at"),
        _key("sessions", "secret_sha256"),
        _of_principal("sessions"),
    )
    op.create_index("ix_sessions_principal_id", "sessions", ["principal_id"])
    op.create_table(
        "tokens",
        _words("id"),
        _words("principal_id"),
        _words("name"),
        _words("secret_sha256"),
        _moment("created_at"),
        _key("tokens", "id"),
        _of_principal("tokens"),
    )
    op.create_index("ix_tokens_secret_sha256", "tokens", ["secret_sha256"], unique=True)
    op.create_index("ix_tokens_principal_id", "tokens", ["principal_id"])
