"""`coscribe doctor` through proxies that do what proxies do: it names what is wrong and what to change."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.support import proxies
from tests.support.server import CoscribeServer
from tests.support.strict_proxy import Mode, StrictProxy

# nginx passes on to a server whatever is asked for, and nobody has told it more.
_AS_IT_COMES = """
daemon off; pid {folder}/pid; error_log stderr; user root;
events {{ }}
http {{
    access_log off; {paths}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {url}; }} }}
}}
"""
_ANSWERS = {
    "html": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is no Coscribe server (status 200)"),
    "other-json": (b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]', "is no Coscribe server (status 200)"),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, "is no Coscribe server (status 200)"),
    "redirect": (
        b"HTTP/1.1 301 Moved\r\nLocation: https://docs.example.org/health/live\r\nContent-Length: 0\r\n\r\n",
        "sends people on to https://docs.example.org: look at that address.",
    ),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
    "silence": (b"", "does not speak HTTP: Server disconnected"),
}  # fmt: skip


async def doctor(url: str, *options: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "coscribe", "doctor", url, *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(120):
        output, _ = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in output, output.decode()
    return process.returncode, output.decode()


def line(output: str, what: str) -> str:
    """What was found of something, with what to change."""
    lines = output.splitlines()
    at = next(number for number, found in enumerate(lines) if f"  {what}:" in found)
    more = lines[at + 1 : at + 2]
    return lines[at] + (more[0] if more and more[0].startswith("      ") else "")


def port_of(server: CoscribeServer) -> int:
    return int(server.url.rpartition(":")[2])


async def test_a_server_without_a_proxy_is_well_but_for_what_tls_brings(server: CoscribeServer, token: str) -> None:
    for options in ((), ("--token", token)):
        status, output = await doctor(server.url, "--patience", "1", *options)
        assert status == 0, output
        for what in ("storage", "round trip", "clock", "origin", "cookies", "WebSocket", "Hocuspocus", "event stream"):
            assert line(output, what).startswith("ok"), output
        for what in ("requests", "large texts", "quiet connections"):
            assert line(output, what).startswith("ok"), output
        assert line(output, "HTTP").startswith("warn")
        assert "1 of 12 could be better." in output


@pytest.mark.parametrize(
    ("mode", "what", "says"),
    [
        (Mode.NO_UPGRADES, "WebSocket", "the upgrade is answered with 403"),
        (Mode.SWALLOWING, "WebSocket", "nothing comes through"),
        (Mode.BUFFERING, "event stream", "keeps it until it ends"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Mode) else "",
)
async def test_what_a_proxy_keeps_back_is_named(server: CoscribeServer, mode: Mode, what: str, says: str) -> None:
    async with StrictProxy(port_of(server), mode) as proxy:
        status, output = await doctor(proxy.url, "--patience", "1")
    assert status == 1, output
    found = line(output, what)
    assert found.startswith("fail")
    assert says in found
    assert "nginx" in found
    # People write all the same.
    assert line(output, "requests").startswith("warn" if mode is Mode.BUFFERING else "ok")
    assert "can write" in line(output, "requests")


async def test_a_line_that_is_cut_while_it_is_quiet_is_named(server: CoscribeServer) -> None:
    async with StrictProxy(port_of(server)) as proxy:
        looking = asyncio.create_task(doctor(proxy.url, "--patience", "30"))
        async with asyncio.timeout(60):
            while sum("/events" in request for request in proxy.seen) < 2:  # noqa: ASYNC110 - the second is held
                await asyncio.sleep(0.05)
        proxy.cut()
        status, output = await looking
    assert status == 1, output
    assert line(output, "quiet connections").startswith("fail")
    assert "the WebSocket is cut after" in output
    assert "the event stream is cut after" in output


@contextmanager
def nginx_as_it_comes(folder: Path, url: str) -> Iterator[str]:
    """nginx with no word of what Coscribe needs; gives its address."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program is not None, "nginx is needed: sudo apt-get install nginx"
    port = proxies.free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(_AS_IT_COMES.format(folder=folder, paths=paths, port=port, url=url))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=log)
    try:
        proxies._wait_for(port, process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


async def test_a_real_proxy_that_nobody_has_told_anything_is_seen_through(
    server: CoscribeServer, tmp_path: Path
) -> None:
    with nginx_as_it_comes(tmp_path, server.url) as url:
        status, output = await doctor(url, "--patience", "1")
    assert status == 1, output
    for what, change in (
        ("origin", "proxy_set_header Host $http_host;"),
        ("WebSocket", "proxy_set_header Upgrade $http_upgrade;"),
        ("Hocuspocus", "proxy_set_header Upgrade $http_upgrade;"),
        ("large texts", "client_max_body_size 17m;"),
    ):
        assert line(output, what).startswith("fail"), output
        assert change in line(output, what)
    # What stands in the way of one thing hides nothing of another.
    for what in ("cookies", "event stream", "requests"):
        assert line(output, what).startswith("ok"), output
    assert "4 of 12 checks failed." in output


@asynccontextmanager
async def somebody(answer: bytes) -> AsyncIterator[str]:
    """A server that gives one answer to everything and hangs up; gives its address."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("name", _ANSWERS)
async def test_what_is_no_server_of_ours_is_told_apart(name: str) -> None:
    answer, says = _ANSWERS[name]
    async with somebody(answer) as url:
        status, output = await doctor(url)
        assert (status, says in output) == (1, True), output
        _, output = await doctor(url.replace("http:", "https:"))
        assert "does not speak TLS" in output or name == "silence", output


@pytest.mark.parametrize(
    "address",
    ["", "docs.example.org", "ftp://docs.example.org", "http://", "http://[::1", "http://127.0.0.1:port",
     "http://127.0.0.1:99999", "http://ana:secret@127.0.0.1", "javascript:alert(1)", "http://\N{SNOWMAN}.example",
     "http://127.0.0.1\r\nX-Y: z"],
)  # fmt: skip
async def test_an_address_that_is_none_is_said_to_be_none(address: str) -> None:
    status, output = await doctor(address)
    assert status == 1
    assert "https://docs.example.org" in output
    assert "secret" not in output


async def test_nobody_at_an_address_is_told(server: CoscribeServer) -> None:
    for url in (f"http://127.0.0.1:{proxies.free_port()}", "http://a..b", "http://nowhere.invalid", "http://exa mple"):
        status, output = await doctor(url)
        assert (status, "Nothing answers at" in output) == (1, True), output
    status, output = await doctor(server.url, "--token", "no\ntoken")
    assert (status, "That is no token" in output) == (1, True)
    status, output = await doctor(server.url, "--token", "unknown")
    assert (status, "unknown, revoked or expired" in output) == (1, True)


async def test_the_certificate_of_nobody_is_told(server: CoscribeServer, tmp_path: Path) -> None:
    with proxies.proxy("nginx", tmp_path, port_of(server)) as (url, _):
        status, output = await doctor(url)
    assert status == 1
    assert f"The certificate of {url} is not trusted" in output


async def test_a_link_that_is_given_for_the_address_is_not_repeated(server: CoscribeServer) -> None:
    status, output = await doctor(f"{server.url}/s/a-link-of-somebody?token=x", "--patience", "0.1")
    assert status == 0
    assert "somebody" not in output


async def test_it_leaves_nothing_behind(own_server: CoscribeServer) -> None:
    token = own_server.token("doctor")
    await doctor(own_server.url, "--patience", "0.1", "--token", token)
    with own_server.client(token) as client:
        assert client.get("/api/v1/documents").json()["items"] == []
        assert client.get("/api/v1/documents", params={"trashed": "true"}).json()["items"] == []
    # A guest's cookie that browsers would not bring back over plain HTTP.
    own_server.stop()
    own_server.configure(secure_cookies="true")
    own_server.start()
    status, output = await doctor(own_server.url, "--patience", "0.1")
    assert status == 1
    assert line(output, "cookies").startswith("fail")
    assert "a document of its own" not in output
