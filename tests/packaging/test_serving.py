"""How uvicorn is set up."""

from __future__ import annotations

from coscribe.api.door import Door
from coscribe.config import Settings
from coscribe.metrics import Metrics
from coscribe.serving import uvicorn_config

# The default `keepalive_timeout` of nginx for its connections to a server.
NGINX_KEEPS_S = 60


def test_proxies_close_idle_connections_before_we_do() -> None:
    settings, metrics = Settings(), Metrics()
    door = Door(settings, metrics, lambda *_, **__: None)
    assert uvicorn_config(None, settings, door).timeout_keep_alive > NGINX_KEEPS_S
