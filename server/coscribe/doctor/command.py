"""The command: visits a server, asks every question, and prints what was found."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from coscribe.doctor import carrier_probes, probes
from coscribe.doctor.address import WITHIN_S, base_of, client_of, require_server
from coscribe.doctor.findings import Finding, Verdict, broken, summary, well, worse
from coscribe.doctor.probes import Probe
from coscribe.doctor.visit import visiting

_CONNECT_WITHIN_S = 5.0
T = TypeVar("T")
_STRANGE = "The answer is none of the server's: a proxy has given it."

# The names under which their findings are told, in the order in which they are asked.
_PROBES: dict[str, Probe] = {
    "storage": probes.storage,
    "round trip": probes.round_trip,
    "clock": probes.clock,
    "origin": probes.origin,
    "cookies": probes.cookies,
    "WebSocket": carrier_probes.upgrade,
    "Hocuspocus": carrier_probes.hocuspocus,
    "event stream": carrier_probes.streaming,
    "requests": carrier_probes.requests,
    "large texts": probes.large,
    "quiet connections": carrier_probes.idle,
}


async def examine(address: str, token: str | None, patience_s: float) -> bool:
    """Look at the server at an address; True where nothing is broken. Raises CoscribeError where there is none."""
    base, context = base_of(address), ssl.create_default_context()
    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        print(finding, flush=True)

    async with client_of(base, token, context) as client:
        await require_server(client, base)
        print(f"Looking at {base}, which takes {patience_s:.0f} s and a little more.\n", flush=True)
        tell(await _asked("HTTP", _protocol(base), WITHIN_S))
        failed = await _asked("a document of its own", _visit(client, base, context, patience_s, tell), None)
        if failed is not None:
            tell(failed)
    print(f"\n{summary(findings)}")
    return all(finding.verdict is not Verdict.BROKEN for finding in findings)


async def _visit(
    client: httpx.AsyncClient, base: str, context: ssl.SSLContext, patience_s: float, tell: Callable[[Finding], None]
) -> None:
    async with visiting(client, base, context) as visit:
        for what, probe in _PROBES.items():
            tell(await _asked(what, probe(visit, patience_s), patience_s + 3 * WITHIN_S))


async def _asked(what: str, answer: Awaitable[T], within_s: float | None) -> T | Finding:
    """What was found; a question that fails in a way of its own is a finding too."""
    try:
        async with asyncio.timeout(within_s):
            return await answer
    except httpx.HTTPStatusError as error:
        return broken(what, f"status {error.response.status_code}", _detail(error))
    except TimeoutError:
        return broken(what, "no answer in time", "Look whether the proxy reaches the server.")
    except (httpx.HTTPError, OSError) as error:
        return broken(what, str(error) or type(error).__name__, "The logs of the proxy and the server may say more.")
    except (ValueError, LookupError, TypeError):
        return broken(what, "an answer that cannot be read", _STRANGE)


def _detail(error: httpx.HTTPStatusError) -> str:
    try:
        return str(error.response.json()["detail"])
    except (ValueError, LookupError, TypeError, httpx.ResponseNotRead):
        return _STRANGE


async def _protocol(base: str) -> Finding:
    """Which HTTP a browser would get."""
    url = httpx.URL(base)
    if url.scheme != "https":
        return worse("HTTP", "version 1.1, not encrypted", "Browsers speak HTTP/2 over HTTPS only; Caddy brings both.")
    if await _negotiated(url.host, url.port or 443) == "h2":
        return well("HTTP", "version 2")
    change = "A browser opens six connections to a server over it: let the proxy speak HTTP/2."
    return worse("HTTP", "version 1.1", change)


async def _negotiated(host: str, port: int) -> str | None:
    offering = ssl.create_default_context()
    offering.set_alpn_protocols(["h2", "http/1.1"])
    async with asyncio.timeout(_CONNECT_WITHIN_S):
        _, writer = await asyncio.open_connection(host, port, ssl=offering)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol()
    finally:
        writer.close()
