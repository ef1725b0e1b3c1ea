"""The command line: what it prints, how it refuses, how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.api.calls import new_document
from tests.support.server import CoscribeServer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import coscribe
from coscribe.app import cookie_key
from coscribe.config import Settings

SENTENCE = re.compile(r"coscribe: [A-Z][^\n]*\n")


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an empty folder to its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COSCRIBE_")}
    return subprocess.run(
        [sys.executable, "-m", "coscribe", *arguments],
        capture_output=True, text=True, timeout=60, cwd=folder, env=inherited | environment, check=False,
    )  # fmt: skip


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What it prints


def test_version_and_help(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout == f"coscribe {coscribe_version()}\n"
    told = run("serve", "--help", folder=tmp_path).stdout
    assert all(option in told for option in ("--host", "--port", "--data-dir", "--database-url"))
    assert list(tmp_path.iterdir()) == []


def coscribe_version() -> str:
    text = (Path(coscribe.__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    return re.findall(r'^version = "(.*)"', text, re.MULTILINE)[0]


def test_without_a_command_it_says_which_there_are(tmp_path: Path) -> None:
    done = run(folder=tmp_path)
    assert done.returncode == 2
    assert all(command in done.stdout for command in ("serve", "migrate", "openapi", "token"))


def test_openapi_is_json_and_touches_nothing(tmp_path: Path) -> None:
    document = json.loads(run("openapi", folder=tmp_path).stdout)
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/documents" in document["paths"]
    assert not any(path.startswith(("/d/", "/r/", "/s/")) for path in document["paths"])
    assert list(tmp_path.iterdir()) == []


def test_migrate_may_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        done = run("migrate", "--data-dir", "kept/here", folder=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "kept" / "here" / "coscribe.db").exists()


def test_a_token_is_all_that_is_printed_and_works_at_once(own_server: CoscribeServer) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "coscribe", "token", "create", "--name", "ci", "--data-dir", own_server.data_dir],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert re.fullmatch(r"cst_[\w-]{43}\n", made.stdout)
    assert made.stderr == ""
    with own_server.client(made.stdout.strip()) as client:
        me = client.get("/api/v1/me").json()
    assert (me["kind"], me["name"]) == ("token", "ci")


def test_a_token_needs_a_name(tmp_path: Path) -> None:
    assert run("token", "create", folder=tmp_path).returncode == 2
    done = run("token", "create", "--name", "", folder=tmp_path)
    assert done.returncode == 1
    assert SENTENCE.fullmatch(done.stderr)


# How it refuses


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that a refused start ends with, without a traceback."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert SENTENCE.fullmatch(done.stderr), done.stderr
    return done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(run("serve", "--port", str(port), folder=tmp_path))
    assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use" in told


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    assert "cannot be used" in refused(run("serve", "--host", "192.0.2.1", "--port", "0", folder=tmp_path))
    assert "cannot be used" in refused(run("serve", "--host", "no.such.host.invalid", folder=tmp_path))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "sqlite://"])
def test_a_database_that_cannot_be_had(tmp_path: Path, url: str) -> None:
    told = refused(run("serve", folder=tmp_path, COSCRIBE_DATABASE_URL=url, COSCRIBE_PORT="0"))
    assert re.search("database URL|SQLite needs a file", told)


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://me:hunter2hunter2@127.0.0.1:9/x"
    told = refused(run("migrate", "--database-url", url, folder=tmp_path))
    assert "onnect" in told
    assert "hunter2" not in told


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = refused(run("serve", "--port", "0", "--data-dir", "file/data", folder=tmp_path))
    assert f"The data directory {tmp_path}/file/data cannot be made" in told


def test_a_data_directory_that_another_server_uses(own_server: CoscribeServer, tmp_path: Path) -> None:
    """One server per file: its rooms would not hear what the other one writes."""
    told = refused(run("serve", "--port", "0", "--data-dir", own_server.data_dir, folder=tmp_path))
    assert f"Another server is running on the data directory {own_server.data_dir}" in told
    url = f"sqlite+aiosqlite:///{own_server.data_dir}/coscribe.db"
    assert refused(run("serve", "--port", "0", "--database-url", url, folder=tmp_path)) == told


def damaged_page(file: Path) -> None:
    """The schema's first page with noise in it."""
    content = bytearray(file.read_bytes())
    content[100:3000] = b"\xaa" * 2900
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"noise" * 1000), damaged_page])
def test_a_damaged_database_is_named_with_what_to_do(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    assert run("migrate", "--data-dir", ".", folder=tmp_path).returncode == 0
    damage(tmp_path / "coscribe.db")
    told = refused(run("serve", "--port", "0", "--data-dir", ".", folder=tmp_path))
    assert f"The database {tmp_path}/coscribe.db is damaged" in told
    assert "coscribe restore" in told


@pytest.mark.parametrize("left", [None, b""])
def test_a_write_ahead_log_without_its_database_is_kept(tmp_path: Path, left: bytes | None) -> None:
    (tmp_path / "coscribe.db-wal").write_bytes(b"what was saved last")
    if left is not None:
        (tmp_path / "coscribe.db").write_bytes(left)
    told = refused(run("serve", "--port", "0", "--data-dir", ".", folder=tmp_path))
    assert f"The log {tmp_path}/coscribe.db-wal holds changes of a database that is not there" in told
    assert (tmp_path / "coscribe.db-wal").read_bytes() == b"what was saved last"


def test_a_lost_secret_and_a_lost_database_are_told(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path) as server:
        assert "_made" not in server.log
        server.stop()
        Path(server.data_dir, "secret").unlink()
        server.start()
        assert "secret_made" in server.log
        server.stop()
        Path(server.data_dir, "coscribe.db").unlink()
        server.start()
        assert "database_made" in server.log


@pytest.mark.parametrize("content", [b"", b"guess me", b"\xff" * 40])
def test_a_damaged_secret_signs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    told = refused(run("serve", "--port", "0", "--data-dir", ".", folder=tmp_path))
    assert f"The secret in {tmp_path}/secret is damaged" in told
    assert (tmp_path / "secret").read_bytes() == content


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("SECRET", "short"),
        ("ORIGINS", "docs.example.org"),
        ("ORIGINS", '["docs.example.org"]'),
        ("ORIGINS", '["https://docs.example.org/"]'),
        ("TRUSTED_PROXIES", "10.0.0.1"),
        ("HISTORY_DAYS", "99999999999"),
        ("SESSION_DAYS", "9999999"),
    ],
)
def test_a_setting_that_cannot_be_used(tmp_path: Path, name: str, value: str) -> None:
    environment = {"COSCRIBE_PORT": "0", f"COSCRIBE_{name}": value}
    told = refused(run("serve", folder=tmp_path, **environment))
    assert name.lower() in told.lower()
    assert "Source" not in told


def test_a_setting_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METRICS_TOKEN", "SECRET", "DATA_DIR", "PORT", "ORIGINS"):
        monkeypatch.setenv(f"COSCRIBE_{name}", "")
    assert Settings() == Settings.model_construct()


def test_a_setting_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = run("migrate", folder=tmp_path, COSCRIBE_MAX_DOCUMNT_BYTES="5", COSCRIBE_LOG_LEVEL="error")
    assert (done.returncode, done.stderr) == (
        0, "coscribe: There is no setting COSCRIBE_MAX_DOCUMNT_BYTES; it does nothing.\n"
    )  # fmt: skip


def test_a_server_without_its_web_client_says_what_to_run(tmp_path: Path) -> None:
    package = Path(coscribe.__file__).parent
    shutil.copytree(package, tmp_path / "coscribe", ignore=shutil.ignore_patterns("web", "__pycache__"))
    told = refused(run("serve", "--port", "0", folder=tmp_path, PYTHONPATH=str(tmp_path)))
    assert told == "coscribe: The web client is not built. Run `make web` first.\n"


# What it keeps


def test_data_is_for_nobody_else(own_server: CoscribeServer) -> None:
    data = Path(own_server.data_dir)
    assert mode(data) == 0o700
    with own_server.client() as browser:
        browser.get("/api/v1/me")
    found = {path.name: mode(path) for path in data.iterdir()}
    assert set(found) == {"coscribe.db", "coscribe.db-wal", "coscribe.db-shm", "secret"}
    assert set(found.values()) == {0o600}


def test_a_guest_comes_back_after_a_restart(own_server: CoscribeServer) -> None:
    with own_server.client() as browser:
        before = browser.get("/api/v1/me").json()
        own_server.stop()
        own_server.start()
        assert browser.get("/api/v1/me").json() == before


def test_servers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(cookie_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_options_count_more_than_the_environment(tmp_path: Path) -> None:
    done = run("migrate", "--data-dir", "option", folder=tmp_path, COSCRIBE_DATA_DIR="environment")
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["option"]


# How it ends


def test_it_ends_within_five_seconds_whatever_is_open(own_server: CoscribeServer) -> None:
    with own_server.client() as browser:
        document = new_document(browser, text="x" * 3_000_000)
    path = f"/api/v1/documents/{document['id']}/events"
    host, port = own_server.url.removeprefix("http://").split(":")
    socket_url = f"ws://{host}:{port}/ws/{document['id']}"
    stalled = [socket.create_connection((host, int(port))) for _ in range(3)]
    stalled[0].sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())  # asks for 3 MB and reads nothing
    stalled[1].sendall(b"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")  # never ends
    with connect(socket_url) as websocket, httpx.stream("GET", own_server.url + path) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        while next(lines) != "event: presence":
            pass  # the whole text is here
        started = time.monotonic()
        assert own_server.stop() in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
        assert close_code(websocket) == 1012
        assert list(lines)[-1] == ""  # the stream was ended in good order, after a whole event
    for connection in stalled:
        connection.close()


def close_code(websocket: ClientConnection) -> int:
    """Read to the end; gives the code that the server closed with."""
    try:
        while True:
            websocket.recv(timeout=5)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


def test_ctrl_c_ends_it_without_a_traceback(own_server: CoscribeServer) -> None:
    assert own_server.end(signal.SIGINT) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in own_server.log
    assert " stopped [" in own_server.log
