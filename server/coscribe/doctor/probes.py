"""What `coscribe doctor` asks by single requests: each probe is one question, asked as a browser would ask it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http.cookiejar import Cookie
from statistics import median

import httpx

from coscribe.doctor.findings import Finding, broken, well, worse
from coscribe.doctor.visit import Visit

# A question; the second argument is how many seconds it may hold what is quiet.
Probe = Callable[[Visit, float], Awaitable[Finding]]

_COOKIE = "coscribe_session"
_ROUNDS = 5
_SLOW_MS = 300.0
_CLOCK_S = 5.0
# What a person pastes, and more than the megabyte that nginx takes if nobody tells it otherwise.
_LARGE_BYTES = 1_500_000
_LOCAL = ("localhost", "127.0.0.1", "::1")


async def storage(visit: Visit, _patience_s: float) -> Finding:
    """Whether the server can store what people write."""
    answer = await visit.client.get("/health/ready")
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return broken("storage", str(answer.json()["detail"]), "Look into the server's log and at its disk.")
    answer.raise_for_status()
    warning = answer.json().get("warning")
    if warning:
        return worse("storage", str(warning), "Give the server's disk or memory more room.")
    return well("storage", "what people write can be stored")


async def round_trip(visit: Visit, _patience_s: float) -> Finding:
    """How long a small request takes."""
    times = []
    for _ in range(_ROUNDS):
        began = time.monotonic()
        (await visit.client.get("/health/live")).raise_for_status()
        times.append((time.monotonic() - began) * 1000)
    found = f"{median(times):.0f} ms (median of {_ROUNDS})"
    if median(times) > _SLOW_MS:
        return worse("round trip", found, "Every key takes so long to the others: serve people from nearer by.")
    return well("round trip", found)


async def clock(visit: Visit, _patience_s: float) -> Finding:
    """Whether the server's clock is that of this machine."""
    ahead_s = visit.ahead_s
    if abs(ahead_s) > _CLOCK_S:
        found = f"the server's is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
        return worse("clock", found, "Set both by NTP: histories and the ends of links go by the server's.")
    return well("clock", f"within {max(1.0, abs(ahead_s)):.0f} s of this machine's")


async def origin(visit: Visit, _patience_s: float) -> Finding:
    """Whether the server takes its own address for its own."""
    # Not sound: a page of ours hears that, a foreign one that it may not. Nobody and nothing is made.
    headers = {"Origin": visit.base, "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=visit.base, verify=visit.context, trust_env=False) as stranger:
        answer = await stranger.post("/api/v1/documents", content=b"[]", headers=headers)
    if answer.status_code == httpx.codes.FORBIDDEN:
        return broken(
            "origin", f"pages at {visit.base} may not write: the server takes them for another site's",
            "Let the proxy pass the host on (nginx: `proxy_set_header Host $http_host;`), or name this address in "
            "COSCRIBE_ORIGINS.",
        )  # fmt: skip
    if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        answer.raise_for_status()
    return well("origin", "its own pages may write")


async def cookies(visit: Visit, _patience_s: float) -> Finding:
    """Whether guests are known again, and nobody else can be them."""
    kept = next((cookie for cookie in visit.client.cookies.jar if cookie.name == _COOKIE), None)
    if kept is None:
        if "authorization" in visit.client.headers:
            return well("cookies", "none, a token was used")
        return broken("cookies", "a guest gets none", "Let the proxy pass `Set-Cookie` on.")
    if kept.secure and not visit.is_https:
        return broken(
            "cookies", "browsers do not bring them back, the address is not encrypted",
            "Look at the https address, or unset COSCRIBE_SECURE_COOKIES.",
        )  # fmt: skip
    if (await visit.client.get(visit.path())).status_code == httpx.codes.NOT_FOUND:
        return broken("cookies", "a guest is not known again", "Let the proxy pass `Cookie` on.")
    return _guarded(visit, kept)


def _guarded(visit: Visit, kept: Cookie) -> Finding:
    """Whether nobody else can read a cookie."""
    if not kept.has_nonstandard_attr("HttpOnly"):
        return worse("cookies", "scripts in a page can read them", "Let the proxy pass `Set-Cookie` on as it is.")
    if not visit.is_https and httpx.URL(visit.base).host not in _LOCAL:
        return worse("cookies", "anybody on the way can read them", "Put the server behind HTTPS: Caddy brings it.")
    if visit.is_https and not kept.secure:
        return worse("cookies", "sent over plain HTTP too", "Set COSCRIBE_SECURE_COOKIES=true behind HTTPS.")
    return well("cookies", "as they should be")


async def large(visit: Visit, _patience_s: float) -> Finding:
    """Whether a large paste gets through."""
    text = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        answer = await visit.client.put(visit.path("/text"), content=b"x" * _LARGE_BYTES, headers=text)
        is_refused = answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        is_refused = True  # whoever takes no more may cut the line before everything is sent
    if is_refused:
        return broken(
            "large texts", f"{_LARGE_BYTES // 1000} KB are refused on the way",
            "nginx: `client_max_body_size 17m;`, what the server takes by default.",
        )  # fmt: skip
    answer.raise_for_status()
    return well("large texts", f"{_LARGE_BYTES // 1000} KB get through")
