"""The words of docs/transports.md. Everything that was measured is put into them by the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PAGE = """# Which transport for what

The same typing over each transport that a document can be followed by:
{shapes}.
Written by `{command}` on {date}, on {machine}.

{overview}

## Figures

{table}

{lost}

**Latency** counts from the key of the writer, who uses the same transport, to the text of each reader. **Bytes** are
all that went through a relay between the readers and the server, in both directions, heads of HTTP and frames
included, for each letter that reached one of them; those of TCP, IP and TLS are not counted. Where all write,
everything of theirs is counted. **Core** is all that the server's process worked meanwhile, its commits included, for
each letter that reached somebody: with one reader it is mostly what the writer costs. **First text** is from opening
a document to its text, for one who comes alone.

There is no network in it but the machine's own: whoever is a tenth of a second away waits that much longer for each
answer that he has to have before the next question. All clients share a process with the relay, which took at most
{busiest} of a core of its own; what that adds to the wait of the last of many readers is in the figures. On
everything else the machine spent at most {others} of a core meanwhile; where that is much, the 95th and 99th
percentiles are higher than they would be alone.

The clients send short heads. A browser's are longer, with a cookie above all, and count with every request: the more
requests, the more of them.

{compared}

{drawings}

{held} readers hold a document open, each transport on a server of its own, and are without a network for {cut}
seconds: the lines are cut, nobody is let in, and somebody goes on writing. **Memory** is by how much the server's
process grew for each of them. **Back** is from the return of the network until a reader had everything that was typed
meanwhile. Those who keep a connection try again every fifth of a second, give or take half of that; those who ask by
the clock go on asking by it.

{held_table}

## What they say

The beginning of one reader's conversation over each, as the relay saw it in this run. What one side said on a
connection before the other spoke there stands together. Frames are those of [protocol.md](protocol.md), written as
bytes. `SESSION` and `DOCUMENT` stand for ids, `…` for what is left out: the rest of what is long, and whatever signs
somebody in.

{captures}"""

_ASPECTS: Mapping[str, Sequence[str]] = {
    "": (
        "WebSocket",
        "SSE + POST",
        "Long poll + POST",
        "Polling",
    ),
    "direction": (
        "both, at any time",
        "down by the stream, up by requests",
        "down by answers, up by requests",
        "the client asks",
    ),
    "connection": (
        "one, upgraded, for all",
        "one for the stream, another for what is sent",
        "one that waits, another for what is sent",
        "one a question, or kept in between",
    ),
    "efficiency": (
        "a few bytes of a head for each frame",
        "the same, and a third more for base64",
        "two heads of HTTP for each answer",
        "two heads and the whole text for each change, two heads for none",
    ),
    "complexity": (
        "own framing, own way back, pings",
        "a stream of lines; a browser comes back by itself, with `Last-Event-ID`",
        "requests, and numbers so that nothing is lost between them",
        "none",
    ),
    "in the way": (
        "proxies that do not pass upgrades on, or cut what is quiet",
        "proxies that keep an answer until it ends",
        "nothing where HTTP gets through",
        "nothing where HTTP gets through",
    ),
    "a browser allows": (
        "many",
        "a few to one server over HTTP/1.1, many over HTTP/2",
        "the same",
        "any number",
    ),
    "Coscribe has it for": (
        "people who write",
        "people whose network lets no WebSocket through; viewers, dashboards and scripts, by the feed",
        "the same where streams are kept back",
        "the simplest scripts, with `ETag`",
    ),
}

# What is shown of a run, by the transport: a heading, and what to see in it.
HANDSHAKES: Mapping[str, tuple[str, str]] = {
    "socket": (
        "WebSocket",
        "An ordinary request asks the server to speak something else from here on (RFC 6455, section "
        "4). `Sec-WebSocket-Key` is random; `Sec-WebSocket-Accept` is the SHA-1 of it and a fixed "
        "text, so that no cache can have given the answer. After `101` the connection is no HTTP any "
        "more: each side sends frames whenever it likes, the client's masked. The server asks what "
        "the client has, the client asks the same, and from then on each letter is one frame.",
    ),
    "stream": (
        "Server-sent events, and POST",
        "A request begins a session, a second one listens to it, and its answer has no end: "
        "`text/event-stream`, in chunks, each event with an `id` by which a reader who was cut off "
        "says where he goes on. What the client has to say it posts beside it, numbered, on another "
        "connection.",
    ),
    "long-poll": (
        "Long poll, and POST",
        "The same session, and a question that the server answers once it has something to say, or "
        "with nothing after the seconds that `wait` names. The next question says how far the client "
        "has heard: what was in an answer that did not arrive comes again.",
    ),
    "poll-1s": (
        "Polling",
        "The text is asked for, and asked for again with the `ETag` of the last answer in "
        "`If-None-Match`: `304` says that nothing is new, and has no body. How often to ask is the "
        "client's choice between waiting and asking in vain.",
    ),
}


def overview() -> str:
    """The table of what each transport is."""
    (first, names), *rows = _ASPECTS.items()
    lines = [f"| {' | '.join((first, *names))} |", f"|{' --- |' * (len(names) + 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join((aspect, *cells))} |" for aspect, cells in rows)])
