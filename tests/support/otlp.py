"""A receiver of traces: OTLP/HTTP as OpenTelemetry's collector takes it, in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_WITHIN_S = 30.0
_ERROR = 2  # opentelemetry.proto.trace.v1.Status.StatusCode


@dataclass(frozen=True)
class Span:
    """A span as it was received; ids in hexadecimal, `parent` empty for one without."""

    name: str
    trace: str
    id: str
    parent: str
    facts: dict[str, str | int]
    is_error: bool
    says: str


class Receiver:
    """What has come to it."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.raw = b""
        self.resource: dict[str, str | int] = {}
        self._changed = threading.Condition()

    @property
    def environment(self) -> dict[str, str]:
        """What makes a server send its traces here, ten times a second."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def take(self, path: str, body: bytes) -> None:
        """A request has come; `raw` has also those with something else than traces."""
        with self._changed:
            self.raw += body
            if path != "/v1/traces":
                return
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = {each.key: _value(each.value) for each in group.resource.attributes}
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    facts = {each.key: _value(each.value) for each in span.attributes}
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    is_error = span.status.code == _ERROR
                    self.spans.append(Span(span.name, *ids, facts, is_error, span.status.message))
            self._changed.notify_all()

    def wait(self, is_wanted: Callable[[Span], bool]) -> Span:
        """The first span that is wanted, once it has come."""

        def found() -> Span | None:
            return next((span for span in self.spans if is_wanted(span)), None)

        with self._changed:
            assert self._changed.wait_for(found, _WITHIN_S), [span.name for span in self.spans]
            span = found()
        assert span is not None
        return span


def _value(value: AnyValue) -> str | int:
    kind = value.WhichOneof("value")
    assert kind in ("string_value", "int_value")
    return value.int_value if kind == "int_value" else value.string_value


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port, for as long as the `with`."""
    received = Receiver()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
