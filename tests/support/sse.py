"""Reads an event stream as it comes over HTTP, as the WHATWG specification tells browsers to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    """One event; `data` is read as JSON."""

    event: str
    id: str | None
    data: Any


class EventReader:
    """The events of one response, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.retry: str | None = None
        self.comments = 0
        self._lines = _lines(response)

    def next(self) -> Event | None:
        """The next event, None when the stream has ended in good order."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line and not name:
                self.comments += 1
            elif name == "retry":
                self.retry = value
            elif name:
                fields[name] = value
            elif "data" in fields:
                return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))
        return None

    def wait_for_comments(self, count: int) -> None:
        """Read on until `count` comments have come in all, in a stream that is silent otherwise."""
        while self.comments < count:
            line = next(self._lines)
            self.comments += line.startswith(":")

    def until(self, event: str) -> Event:
        """The next event of this name; others are passed over."""
        while (found := self.next()) is not None:
            if found.event == event:
                return found
        raise AssertionError(f"the stream ended before the next {event!r}")


@contextmanager
def event_stream(client: httpx.Client, path: str, *, after: str | None = None, **query: Any) -> Iterator[EventReader]:
    """An open stream; `after` is sent as browsers do."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after is not None else {})
    with client.stream("GET", path, params=query or None, headers=headers) as response:
        if response.status_code != 200:
            response.read()
        assert response.status_code == 200, response.text
        yield EventReader(response)


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines end with CR LF, LF or CR, and with nothing else: U+2028 and its like are ordinary characters."""
    rest = b""
    for chunk in response.iter_bytes():
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from (line.decode() for line in whole)
