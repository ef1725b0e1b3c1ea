"""Traces by OpenTelemetry: one span for a REST request, a group commit, a room's load and a document's compaction.

Imported only where the environment asks for traces (serving.py): the SDK takes 50 ms and 2 MB. Never a span for a
frame. Requests are named by the template of their route, so that neither a query nor a secret of a link is in them;
document ids are in what rooms do, as they are in the log.

Whoever receives them may be away: spans wait in a queue with an end, and leave from a thread of their own.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coscribe.errors import CoscribeError, cause_of
from coscribe.rooms.measuring import Span
from coscribe.rooms.troubles import Watcher
from coscribe.telemetry import without_secrets

# What the last spans may take to leave when the server stops: it has five seconds for everything.
_CLOSE_WITHIN_S = 1.0
# What comes all day or twenty times a second of each who types; and who reads the metrics.
_UNTRACED = ("/assets/", "/health/", "/frames/", "/poll/", "/metrics")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SERVER_ERROR = 500


class Tracing:
    """The traces of one server, as `OTEL_...` variables say. Raises CoscribeError where they cannot be followed."""

    def __init__(self, watch: Watcher) -> None:
        for name in _PROTOCOLS:
            if os.environ.get(name, _SPOKEN) != _SPOKEN:
                raise CoscribeError(f"{name} must be {_SPOKEN}: Coscribe sends traces by OTLP/HTTP only.")
        # It writes down every attempt that fails; that is told once instead, by `watch`.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        ours = {"service.name": "coscribe", "service.version": version("coscribe")}
        # Last what the operator says in OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Told(OTLPSpanExporter(), watch)))
        self._tracer = self._provider.get_tracer("coscribe", version("coscribe"))

    @contextmanager
    def span(self, name: str) -> Iterator[Span]:
        """A span of the server's own work (rooms.measuring.Spans)."""
        with _begun(self._tracer, name) as recording:
            span = _Recorded(recording)
            try:
                yield span
            except Exception as error:
                span.fail(cause_of(error))
                recording.set_attribute("error.type", type(error).__name__)
                raise

    def requests(self, app: ASGIApp) -> ASGIApp:
        """An application whose requests have a span each."""
        return _Requests(app, self._tracer)

    def close(self) -> None:
        """Send what is left, for a second at the most; nothing is waited for beyond that."""
        # A thread that does not hold the process: a receiver that answers nothing is given ten seconds by the SDK.
        closing = threading.Thread(target=self._provider.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(_CLOSE_WITHIN_S)


def _begun(
    tracer: trace.Tracer, name: str, parent: Context | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[trace.Span]:
    """A span that keeps nothing of an exception by itself: its words and its stack may hold what people wrote."""
    return tracer.start_as_current_span(name, parent, kind, record_exception=False, set_status_on_exception=False)


class _Recorded:
    """A span of rooms as one of OpenTelemetry."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def is_recorded(self) -> bool:
        """Whether it is sampled."""
        return self._span.is_recording()

    def note(self, **facts: int | str) -> None:
        """Attributes of ours have a name of ours in front."""
        self._span.set_attributes({f"coscribe.{name}": value for name, value in facts.items()})

    def fail(self, reason: str) -> None:
        """The reason may be the database's words: its values are not in it, nor are secrets."""
        self._span.set_status(Status(StatusCode.ERROR, without_secrets(reason)))


class _Requests:
    """Gives every request a span, below the one that its `traceparent` names."""

    def __init__(self, app: ASGIApp, tracer: trace.Tracer) -> None:
        self._app = app
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. An event stream's span ends with its head."""
        if scope["type"] != "http" or scope["path"].startswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        parent = self._propagator.extract(_traceparent(scope))
        with _begun(self._tracer, method, parent, SpanKind.SERVER) as span:
            span.set_attribute("http.request.method", method)

            async def watching(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _answered(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, watching)
            except Exception:
                _answered(span, _SERVER_ERROR)  # which is sent outside
                raise
            finally:
                if (route := _route_of(scope)) is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


def _traceparent(scope: Scope) -> dict[str, str]:
    """Of what comes with a trace its place alone: into a `tracestate` anybody could put anything."""
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"}


def _route_of(scope: Scope) -> str | None:
    """The template of the address; None for one that is nobody's."""
    # A route's own path lacks what stands in front of its router; FastAPI keeps the whole beside it.
    found = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(found, "path", None)


def _answered(span: trace.Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


class _Told(SpanExporter):
    """Exports by another one, and tells when that begins to fail, and when it ends."""

    def __init__(self, exporter: SpanExporter, watch: Watcher) -> None:
        self._exporter = exporter
        self._watch = watch
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans, in the exporter's thread."""
        result = self._exporter.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            self._watch("tracing_failed", reason="the receiver takes no spans")
        elif self._is_failing and not is_failing:
            self._watch("tracing_resumed")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """Stop; what is being tried again is given up."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)
