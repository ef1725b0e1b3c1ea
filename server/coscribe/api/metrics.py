"""`GET /metrics`: what the server counts and measures, for Prometheus. To everybody else there is no such address."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from coscribe.api.relay import HANDED_ON
from coscribe.api.wiring import Wired, Wiring
from coscribe.api.worker_metrics import of_all
from coscribe.core.hocuspocus import HocuspocusSession
from coscribe.core.session import Session
from coscribe.metrics import CONTENT_TYPE, FEED_CARRIERS
from coscribe.model import Carrier
from coscribe.rooms.phase import Phase

router = APIRouter(include_in_schema=False)

# What a proxy adds to a request: then the peer's address says nothing about who asks.
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@router.get("/metrics")
async def metrics(request: Request, wiring: Wired) -> Response:
    """The Prometheus text format, for this machine's own requests or with the token of `metrics_token`."""
    if not _may_read(request, wiring):
        raise HTTPException(404)
    measure(wiring)
    text, team = wiring.metrics.text(), request.app.state.team
    if team is not None and HANDED_ON not in request.scope:
        text = await of_all(team, text, {"Authorization": request.headers.get("authorization", "")})
    return Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def _may_read(request: Request, wiring: Wiring) -> bool:
    token = wiring.settings.metrics_token
    if token is not None:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode())
    if request.client is None or any(name in request.headers for name in _PROXIED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def measure(wiring: Wiring) -> None:
    """Read every gauge now, and the counts that are kept where they come from."""
    metrics, buffers = wiring.metrics, wiring.buffers
    rooms = wiring.registry.rooms
    phases = Counter(room.phase for room in rooms)
    sessions = [session for room in rooms for session in room.sessions]
    by_requests = wiring.http_sessions.carriers
    carriers = Counter(_carrier_of(session, by_requests) for session in sessions)
    metrics.gauges("rooms", {phase.value: phases[phase] for phase in Phase})
    metrics.gauges("sessions", {carrier.value: carriers[carrier] for carrier in Carrier})
    metrics.gauges("feed_readers", {carrier.value: wiring.gates.readers[carrier] for carrier in FEED_CARRIERS})
    metrics.totals(deliveries=wiring.registry.deliveries.frames, outbox_stale=buffers.stales, outbox_shed=buffers.sheds)
    metrics.gauge(
        sessions_stale=sum(session.outbox.is_stale for session in sessions),
        outbox_bytes=buffers.bytes,
        unsaved_bytes=wiring.unsaved.bytes,
        tasks=len(asyncio.all_tasks()),
        storage_trouble=wiring.registry.trouble is not None,
        workers=wiring.settings.workers,
        neighbours=wiring.registry.neighbours.count,
        loop_lag_seconds=wiring.watchdog.take_lag(),
    )
    if wiring.watchdog.free_bytes is not None:
        metrics.gauge(free_bytes=wiring.watchdog.free_bytes)


def _carrier_of(session: Session, by_requests: Mapping[str, Carrier]) -> Carrier:
    if isinstance(session, HocuspocusSession):
        return Carrier.HOCUSPOCUS
    return by_requests.get(session.id, Carrier.WEBSOCKET)
