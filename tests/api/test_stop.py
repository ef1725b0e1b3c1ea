"""How a server stops: streams and polls end at once, what reads nothing is cut, nothing that was answered is lost."""

from __future__ import annotations

import select
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.api.calls import new_document, path_of, put_text, text_of
from tests.support.raw_socket import frame, request
from tests.support.rfc6455 import BINARY, CLOSE, FrameReader
from tests.support.server import CoscribeServer
from tests.support.sse import event_stream

# The promise is 5 s; uvicorn raises the signal again when it is done.
WITHIN_S = 5.0
JSON = {"Accept": "application/json"}
STOPPED = (0, -signal.SIGTERM)


def test_streams_end_in_good_order(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client, text="text")
        with event_stream(client, path_of(made, "/events")) as one, event_stream(client, "/api/v1/events") as all_:
            one.until("presence")
            started = time.monotonic()
            assert own_server.stop() in STOPPED
            assert time.monotonic() - started < WITHIN_S
            while one.next() is not None or all_.next() is not None:
                pass  # a line that was cut would raise here
    assert "ERROR" not in own_server.log.upper()
    assert "Traceback" not in own_server.log


def test_polls_are_answered(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_feed_readers=1) as server, server.client() as client:
        made = new_document(client, text="text")
        position = client.get(path_of(made, "/events"), headers=JSON).json()["next"]
        answers: list[dict[str, Any]] = []

        def wait() -> None:
            query = {"after": position, "wait": 50}
            # The one place may be taken for a moment by the probe below.
            while (answer := client.get(path_of(made, "/events"), params=query, headers=JSON)).status_code == 503:
                pass
            answers.append(answer.json())

        waiting = threading.Thread(target=wait)
        waiting.start()
        with server.client() as other:
            # Once the poll holds the only place, others are refused.
            while other.get(path_of(made, "/events"), params={"wait": 0}, headers=JSON).status_code == 200:
                pass
        assert server.stop() in STOPPED
        waiting.join(30)
    assert [(answer["events"], answer["next"]) for answer in answers] == [([], position)]


def test_a_reader_that_does_not_read_holds_nothing_up(own_server: CoscribeServer) -> None:
    address = urlsplit(own_server.url)
    with own_server.client() as client:
        made = new_document(client, text="")
        put_text(client, made, "a line of text\n" * 800_000)
        with socket.create_connection((address.hostname, address.port)) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(f"GET {path_of(made, '/events')} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            assert line.recv(15) == b"HTTP/1.1 200 OK"
            started = time.monotonic()
            assert own_server.stop() in STOPPED
            assert time.monotonic() - started < WITHIN_S
    assert "Traceback" not in own_server.log
    assert "without completing response" not in own_server.log


def test_what_was_answered_is_there_after_a_stop_and_after_a_kill(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client)
        for number, end in enumerate((own_server.kill, own_server.stop, own_server.kill)):
            assert put_text(client, made, f"text {number}").json()["seq"] == number + 1
            end()
            own_server.start()
            assert text_of(client, made) == f"text {number}"
            assert client.get("/api/v1/me").json()["id"] == made["owner"]["id"], "the cookie still counts"


def test_who_types_on_is_not_reset_and_hears_why(own_server: CoscribeServer) -> None:
    address = urlsplit(own_server.url)
    with own_server.client() as client:
        made = new_document(client)
    with socket.create_connection((address.hostname, address.port)) as line:
        line.sendall(request(f"/ws/{made['id']}") + frame(BINARY, b"\x70\x01\x00\x00"))
        heard = line.recv(2**16)
        while len(heard.partition(b"\r\n\r\n")[2]) < 4:
            heard += line.recv(2**16)
        stopping = threading.Thread(target=own_server.stop)
        stopping.start()
        ended = select.poll()
        ended.register(line, select.POLLRDHUP)
        assert ended.poll(5000), "the server has said its last"
        # Sent to a closed socket, the first would be answered by a reset and one of the next would raise.
        for _ in range(100):
            line.sendall(frame(BINARY, b"\x00\x00\x01\x00"))
        while data := line.recv(2**16):
            heard += data
    stopping.join()
    last = FrameReader().feed(heard.partition(b"\r\n\r\n")[2])[-1]
    assert (last.opcode, last.payload[:2]) == (CLOSE, (1012).to_bytes(2))
