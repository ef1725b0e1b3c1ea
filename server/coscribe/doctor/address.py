"""The address of a server: what people type, and whether a Coscribe answers there."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import httpx

from coscribe.errors import CoscribeError

WITHIN_S = 20.0
_HEALTH = "/health/live"
_MOST_BYTES = 2**16
_EXAMPLE = "https://docs.example.org"


def base_of(address: str) -> str:
    """Scheme, host and port of an address; what stands behind them is left out, as it may be somebody's link.

    Raises CoscribeError where it is none.
    """
    try:
        url = httpx.URL(address.strip())
        is_one = url.scheme in ("http", "https") and bool(url.host) and (url.port is None or 0 < url.port < 2**16)
    except (httpx.InvalidURL, ValueError) as error:
        raise CoscribeError(f"That is no address of a server ({error}). Name it as {_EXAMPLE}.") from error
    if not is_one:
        raise CoscribeError(f"That is no address of a server. Name it as {_EXAMPLE}.")
    if url.userinfo:
        raise CoscribeError(f"Browsers do not take names and passwords in addresses. Name the server as {_EXAMPLE}.")
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def client_of(base: str, token: str | None, context: ssl.SSLContext) -> httpx.AsyncClient:
    """A client that sends what a page of the server's sends. Raises CoscribeError for a token that is none."""
    # Of which site a page is, browsers say in two ways. This one is taken also where a proxy hides the host, so that
    # all else can be looked at; the other one is a question of its own.
    headers = {"Sec-Fetch-Site": "same-origin"}
    if token is not None:
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise CoscribeError("That is no token: `coscribe token create` prints one.")
        headers["Authorization"] = f"Bearer {token}"
    # What the environment says of proxies is not for the one that is looked at.
    return httpx.AsyncClient(base_url=base, headers=headers, timeout=WITHIN_S, verify=context, trust_env=False)


async def require_server(client: httpx.AsyncClient, base: str) -> None:
    """Raise CoscribeError where no Coscribe answers, and say what does."""
    try:
        async with client.stream("GET", _HEALTH) as answer:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    break
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise CoscribeError(_why(error, base)) from error
    if answer.is_redirect:
        there = answer.headers.get("location", "nowhere").removesuffix(_HEALTH)
        raise CoscribeError(f"{base} sends people on to {there[:200]}: look at that address.")
    if answer.status_code != httpx.codes.OK or not _is_health(body):
        raise CoscribeError(f"What answers at {base} is no Coscribe server (status {answer.status_code}).")


def _is_health(body: bytes) -> bool:
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("status") == "ok"


def _why(error: Exception, base: str) -> str:
    """Why there is no answer, in a sentence; what lies below the client's own errors says more."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {base} is not trusted, by browsers neither: {cause.verify_message}."
        if isinstance(cause, ssl.SSLError):
            return f"What answers at {base} does not speak TLS; is it http://?"
    if isinstance(error, httpx.TimeoutException):
        return f"Nothing answers at {base} within {WITHIN_S:g} s."
    if isinstance(error, httpx.ProtocolError):
        return f"What answers at {base} does not speak HTTP: {str(error).rstrip('.')}."
    told = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return f"Nothing answers at {base}: {told[-1] if told else str(error) or type(error).__name__}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
