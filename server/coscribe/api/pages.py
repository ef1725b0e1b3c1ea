"""The pages: those of the web client, the read page of view links, and what is behind a link."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse

from coscribe.api.assets import IMMUTABLE, WebBuild, taken_encodings
from coscribe.api.callers import caller_by_cookie, new_guest, set_cookie
from coscribe.api.etags import matches
from coscribe.api.feeds import Asked, feed_response
from coscribe.api.headers import nonce_of
from coscribe.api.page_html import ReadPage, error_page, read_page
from coscribe.api.problems import kind_of, on_http_error
from coscribe.api.wiring import Wired, Wiring
from coscribe.errors import CoscribeError, NotFound, TooMany, Unavailable
from coscribe.model import Activity, Document, Role
from coscribe.services.access import Caller
from coscribe.services.identity import NewSession
from coscribe.services.reading import Renderings

_GET = ["GET", "HEAD"]
# A page holds a nonce and a visitor's state: it is asked for again every time, but the browser may go back to it.
_PAGE_HEADERS = {"Cache-Control": "no-cache", "Vary": "Cookie, Accept-Encoding"}
# A tenth of a millisecond a page.
_GZIP_LEVEL = 6
_HIDDEN = {"X-Robots-Tag": "noindex, nofollow"}
# Rises when the same text is rendered to other HTML, so that no reader keeps the old form.
_RENDERER = 1
_ACTIVITIES = 10
# Looking for the last activities goes back this many entries of the log.
_ACTIVITIES_WITHIN = 200

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def add_pages(app: FastAPI, web: WebBuild) -> None:
    """Add every page and file of the web client; after `add_rest`, whose answer to unknown addresses they refine."""
    pages = Pages(web)
    router = APIRouter(route_class=pages.route_class(), include_in_schema=False)
    for path in ("/", "/trash"):
        router.add_api_route(path, pages.home, methods=_GET)
    router.add_api_route("/new", pages.new, methods=_GET)
    router.add_api_route("/recover", pages.recover, methods=_GET)
    router.add_api_route("/d/{document_id}", pages.document, methods=_GET)
    router.add_api_route("/s/{secret}", pages.exchange, methods=["GET"])
    router.add_api_route("/r/{secret}", pages.read, methods=_GET)
    files = APIRouter(include_in_schema=False)
    files.add_api_route("/r/{secret}/body", pages.read_body, methods=_GET)
    files.add_api_route("/r/{secret}/events", pages.read_events, methods=["GET"])
    files.add_api_route("/assets/{name}", pages.asset, methods=_GET)
    for name in web.root:
        files.add_api_route(f"/{name}", pages.root_file, methods=_GET)
    app.include_router(files)
    app.include_router(router)
    app.add_exception_handler(HTTPException, pages.on_http_error)


class Pages:
    """The pages of one web build."""

    def __init__(self, web: WebBuild) -> None:
        self._web = web
        self._renderings = Renderings()

    def route_class(self) -> type[APIRoute]:
        """Routes whose errors are pages for people."""
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Handler:
                handler = super().get_route_handler()

                async def for_people(request: Request) -> Response:
                    try:
                        return await handler(request)
                    except CoscribeError as error:
                        return pages.error(request, error)

                return for_people

        return PageRoute

    def error(self, request: Request, error: CoscribeError) -> Response:
        """The page of an error."""
        headers = {"Cache-Control": "no-store", **_HIDDEN}
        if isinstance(error, Unavailable | TooMany):
            headers["Retry-After"] = str(error.retry_after_s)
        html = error_page(error, self._web, nonce_of(request))
        return HTMLResponse(html, kind_of(error).status, headers)

    # The web client's pages

    async def home(self, request: Request, wiring: Wired) -> Response:
        """The visitor's documents, or his trash. Its script asks who he is: the page is there while storage is not."""
        return _page(request, wiring, self._web.home, None)

    async def new(self, request: Request, wiring: Wired) -> Response:
        """The editor; its script makes the document, so no other site and no prefetch may lead here."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            return RedirectResponse("/", 303, {"Cache-Control": "no-store", **_HIDDEN})
        if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
            return Response(status_code=503, headers={"Cache-Control": "no-store", **_HIDDEN})
        _, session = await _visitor(request, wiring)
        return _page(request, wiring, self._web.document, session, headers=_HIDDEN)

    async def document(self, document_id: str, request: Request, wiring: Wired) -> Response:
        """The editor. The page is the same where there is nothing to see; its script says so, the status too."""
        caller, session = await _visitor(request, wiring)
        status = 200
        try:
            await wiring.access.require(document_id, caller, Role.VIEWER)
        except NotFound:
            status = 404
        return _page(request, wiring, self._web.document, session, status=status, headers=_HIDDEN)

    async def recover(self, request: Request, wiring: Wired) -> Response:
        """What a browser has that the server does not; the page is the same for everybody and makes nobody a guest."""
        return _page(request, wiring, self._web.recover, None, headers=_HIDDEN)

    async def exchange(self, secret: str, request: Request, wiring: Wired) -> Response:
        """A commenter's or editor's link: its role becomes the visitor's own, and the secret leaves the address bar."""
        caller, session = await _visitor(request, wiring)
        document = await wiring.links.exchange(secret, caller.actor)
        response = RedirectResponse(f"/d/{document.id}", 303, {"Cache-Control": "no-store", **_HIDDEN})
        if session is not None:
            set_cookie(response, session, wiring.settings)
        return response

    # View links

    async def read(self, secret: str, request: Request, wiring: Wired) -> Response:
        """The read page of a view link."""
        document, _ = await wiring.links.reading(secret)
        async with wiring.registry.hold(document) as room:
            rendering = await self._renderings.of(room)
            people = room.people
        activities, last = await _latest(wiring, document)
        position = f"{rendering.generation}.{rendering.seq}.{last}"
        page = ReadPage(f"/r/{secret}", document, rendering, position, people, activities)
        html = read_page(page, self._web, nonce_of(request))
        return HTMLResponse(html, headers={"Cache-Control": "private, no-cache", **_HIDDEN})

    async def read_body(self, secret: str, request: Request, wiring: Wired) -> Response:
        """The text alone, rendered; 304 while the reader has it already."""
        document, _ = await wiring.links.reading(secret)
        asked = request.headers.get("if-none-match", "")
        async with wiring.registry.hold(document) as room:
            headers = {"Cache-Control": "private, no-cache", "ETag": _tag(room.generation, room.seq), **_HIDDEN}
            if matches(asked, headers["ETag"]):
                return Response(status_code=304, headers=headers)
            rendering = await self._renderings.of(room)
        headers |= {"ETag": _tag(rendering.generation, rendering.seq), "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return HTMLResponse(rendering.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return HTMLResponse(rendering.body, headers=headers)

    async def read_events(self, secret: str, request: Request, wiring: Wired, asked: Asked) -> Response:
        """The document's feed, for the read page's script."""
        document, caller = await wiring.links.reading(secret)
        return await feed_response(request, wiring, document.id, caller, asked)

    # Files, and everything else

    async def asset(self, name: str, request: Request) -> Response:
        """A file with a hashed name."""
        file = self._web.assets.get(name)
        if file is None:
            raise HTTPException(404)
        return file.response(request, cache_control=IMMUTABLE)

    async def root_file(self, request: Request) -> Response:
        """The icon, the service worker and their like, whose names stay."""
        return self._web.root[request.url.path[1:]].response(request, cache_control="no-cache")

    async def on_http_error(self, request: Request, error: Exception) -> Response:
        """Exception handler: an address that does not exist is a page for people and a problem for programs."""
        is_unknown = isinstance(error, HTTPException) and error.status_code == 404
        for_people = "text/html" in request.headers.get("accept", "")
        if is_unknown and for_people and not request.url.path.startswith("/api/"):
            return self.error(request, NotFound("There is nothing at this address."))
        return await on_http_error(request, error)


async def _visitor(request: Request, wiring: Wiring) -> tuple[Caller, NewSession | None]:
    """Who opens a page; a visitor without a session becomes a guest, whose new session is given along."""
    caller = await caller_by_cookie(request, wiring)
    if caller.principal is not None:
        return caller, None
    session = await new_guest(request, wiring)
    return Caller(session.principal), session


def _page(
    request: Request, wiring: Wiring, html: str, session: NewSession | None, *, status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """A page of the web client with this response's nonce, and the cookie of a new guest."""
    body = html.replace("__CSP_NONCE__", nonce_of(request)).encode()
    headers = {**_PAGE_HEADERS, **(headers or {})}
    if "gzip" in taken_encodings(request):
        # Everything that the page needs waits for it: 3 KB less are 15 ms on a phone.
        headers["Content-Encoding"], body = "gzip", gzip.compress(body, _GZIP_LEVEL, mtime=0)
    response = HTMLResponse(body, status, headers)
    if session is not None:
        set_cookie(response, session, wiring.settings)
    return response


async def _latest(wiring: Wiring, document: Document) -> tuple[list[Activity], int]:
    """The newest activities, newest first, and the id up to which the reader has been told."""
    last = await wiring.activities.head(document.id)
    after_seq = max(-1, document.seq - _ACTIVITIES_WITHIN)
    found = await wiring.activities.of_document(document.id, after=0, after_seq=after_seq)
    told = [activity for activity in found if activity.id <= last]
    return told[: -_ACTIVITIES - 1 : -1], last


def _tag(generation: int, seq: int) -> str:
    return f'"{generation}.{seq}-{_RENDERER}"'
