"""The built web client: its pages, and its files with hashed names that never change."""

from __future__ import annotations

import gzip
import json
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from coscribe.errors import CoscribeError

FOLDER = Path(__file__).parents[1] / "web"
_READ_PAGE = "src/read.ts"
IMMUTABLE = "public, max-age=31536000, immutable"
# Not in every system's table.
_MEDIA_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
# Pictures and fonts are compressed already, and below a packet there is nothing to win.
_TEXTUAL = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
_SMALLEST = 1_000


class WebFile:
    """One file of the build, in memory (the whole build is a few MB), by gzip too when first asked for."""

    def __init__(self, path: Path) -> None:
        self.body = path.read_bytes()
        smaller = _brotli_of(path)
        self._brotli = smaller.read_bytes() if smaller.exists() else None
        self._type = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @cached_property
    def _compressed(self) -> bytes | None:
        if len(self.body) < _SMALLEST or not self._type.startswith(_TEXTUAL):
            return None
        return gzip.compress(self.body, 9, mtime=0)

    def response(self, request: Request, *, cache_control: str) -> Response:
        """The file, compressed for who takes that."""
        headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
        body = self.body
        taken = taken_encodings(request)
        # Browsers take Brotli over https and from their own machine: an eighth less to wait for on a slow line.
        if self._brotli is not None and "br" in taken:
            headers["Content-Encoding"], body = "br", self._brotli
        elif self._compressed is not None and "gzip" in taken:
            headers["Content-Encoding"], body = "gzip", self._compressed
        return Response(body, headers=headers, media_type=self._type)


def _brotli_of(path: Path) -> Path:
    """Where the build leaves the compressed form of a file."""
    return path.with_name(f"{path.name}.br")


def taken_encodings(request: Request) -> set[str]:
    """The encodings that whoever asks names; nobody names one to refuse it."""
    asked = request.headers.get("accept-encoding", "")
    return {part.partition(";")[0].strip() for part in asked.split(",")}


@dataclass(frozen=True, slots=True)
class WebBuild:
    """What `vite build` left behind. The pages hold `__CSP_NONCE__` where a response's nonce belongs."""

    home: str
    document: str
    recover: str
    read_scripts: tuple[str, ...]
    read_styles: tuple[str, ...]
    assets: dict[str, WebFile]
    root: dict[str, WebFile]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> WebBuild:
        """Read the build; raises CoscribeError with what to run when there is none."""
        try:
            manifest = json.loads((folder / ".vite" / "manifest.json").read_bytes())
            home = (folder / "index.html").read_text("utf-8")
            document = (folder / "document.html").read_text("utf-8")
            recover = (folder / "recover.html").read_text("utf-8")
        except FileNotFoundError as error:
            raise CoscribeError("The web client is not built. Run `make web` first.") from error
        chunks = _chunks(manifest, _READ_PAGE)
        return cls(
            home=home,
            document=document,
            recover=recover,
            read_scripts=tuple(f"/{chunk['file']}" for chunk in chunks),
            read_styles=tuple(dict.fromkeys(f"/{css}" for chunk in chunks for css in chunk.get("css", ()))),
            assets={path.name: WebFile(path) for path in (folder / "assets").iterdir() if path.suffix != ".br"},
            root={path.name: WebFile(path) for path in folder.iterdir() if _is_root_file(path)},
        )


def _is_root_file(path: Path) -> bool:
    return path.is_file() and path.suffix != ".html" and not path.name.startswith(".")


def _chunks(manifest: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The entry's chunk and those that it imports, itself first."""
    seen: dict[str, dict[str, Any]] = {}
    waiting = [key]
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen[name] = manifest[name]
            waiting += manifest[name].get("imports", ())
    return list(seen.values())
