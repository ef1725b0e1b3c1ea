"""Settings: read once at the start, frozen, units in the names. Each is also `COSCRIBE_<NAME>` in the environment."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "COSCRIBE_"
# A browser's `Origin` never ends with a slash: one that did would let nobody in.
_ORIGIN = re.compile(r"https?://[^\s/?#@]+")
# Days of a hundred years: more than a date can hold would fail in the middle of the work.
_MOST_DAYS = 36_500


class Settings(BaseSettings):
    """What an operator may decide. docs/operations.md lists the same settings."""

    # Compose files hand on variables that nobody has set; an empty token, for one, would open what it is to close.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        1, ge=1, le=64, description="Processes that serve, on PostgreSQL with Redis; one for each core that is to work."
    )
    data_dir: Path = Field(Path("data"), description="Folder of the SQLite file and of the secret.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL; without it SQLite in the data directory. `postgresql+asyncpg://...`"
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis that rings between several servers of one PostgreSQL database: `redis://host:6379/0`.",
    )
    secret: SecretStr | None = Field(
        None,
        description="Key that signs cookies, and messages between servers, which share one; "
        "made and kept in the data directory when absent.",
    )
    origins: tuple[str, ...] = Field(
        (), description='Further origins that browsers may use, as a JSON list: ["https://docs.example.org"].'
    )
    secure_cookies: bool = Field(False, description="Mark cookies Secure; switch on behind HTTPS.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is written down: debug, info, warning or error."
    )
    log_json: bool = Field(False, description="One JSON object a line in place of readable lines.")

    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"),
        description="Proxies whose `X-Forwarded-For` is believed, a JSON list; they are not counted themselves.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for `/metrics`; without it only this machine may read them."
    )

    # Sizes
    max_frame_bytes: int = Field(16 * 2**20, ge=2**16, description="Largest WebSocket message or request body.")
    max_update_bytes: int = Field(12 * 2**20, ge=2**16, description="Largest single change, in bytes of its update.")
    # Below the frame limit, so that a whole text fits one request and one answer of an offline copy.
    max_document_bytes: int = Field(10 * 2**20, ge=2**16, description="Largest text of a document, UTF-8.")
    max_outbox_bytes: int = Field(
        4 * 2**20, ge=2**16, description="Unsent bytes a session may owe before it turns stale."
    )
    max_outbox_total_bytes: int = Field(
        256 * 2**20, ge=2**16, description="Unsent bytes of all sessions; beyond it those that owe most turn stale."
    )
    max_unsaved_bytes: int = Field(
        64 * 2**20,
        ge=2**16,
        description="Accepted bytes a room keeps while the database is away; then it is read-only.",
    )
    max_unsaved_total_bytes: int = Field(
        256 * 2**20, ge=2**16, description="The same for all rooms together; then all of them are read-only."
    )
    max_memory_bytes: int = Field(
        0, ge=0, description="Memory of the process from which on no further document is opened; 0 sets no bound."
    )
    min_free_bytes: int = Field(
        64 * 2**20, ge=0, description="Free bytes on the disk below which health checks and log warn."
    )

    # Numbers
    max_connections: int = Field(
        10_000, ge=1, description="Open connections of this server; fewer where the system allows fewer files."
    )
    max_connections_per_address: int = Field(
        1000, ge=1, description="Open connections, sockets and streams an address."
    )
    max_sessions_per_document: int = Field(2000, ge=1, description="Open connections of one document.")
    max_sessions_per_principal: int = Field(200, ge=1, description="Open sockets of one guest or token.")
    max_feed_readers: int = Field(5000, ge=1, description="Open event streams of this server.")
    max_feed_readers_per_principal: int = Field(50, ge=1, description="Open event streams of one guest or token.")
    max_documents_per_guest: int = Field(500, ge=1, description="Documents that one guest may own, the trash included.")

    # Rates
    max_messages_per_s: int = Field(
        4000,
        ge=1,
        description="Messages a second of one socket, five times as many at once; more are read more slowly.",
    )
    max_bytes_per_s: int = Field(
        2**20, ge=2**16, description="Bytes a second of one socket, two largest messages at once; more are read slowly."
    )
    max_messages_per_principal_per_s: int = Field(
        20000, ge=1, description="Messages a second of all sockets of one guest or token, five times as many at once."
    )
    max_writes_per_s: int = Field(
        50, ge=1, description="REST requests a second that change something, a caller; ten times as many at once."
    )
    max_guests_per_minute: int = Field(
        120, ge=1, description="New guests a minute and address; five times as many at once."
    )

    # Times
    history_days: int = Field(
        0,
        ge=0,
        le=_MOST_DAYS,
        description="How long past changes are kept behind a good snapshot; 0 keeps them for ever.",
    )
    room_idle_s: float = Field(30.0, ge=0, description="How long an empty room stays in memory.")
    keepalive_s: float = Field(15.0, gt=0, description="Silence after which a socket or stream hears a keepalive.")
    session_days: int = Field(400, ge=1, le=_MOST_DAYS, description="How long a guest's cookie lasts.")

    @field_validator("origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for origin in given:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin; write it as https://docs.example.org, without a path or slash"
                )
        return given

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for network in given:
            ip_network(network, strict=False)
        return given
