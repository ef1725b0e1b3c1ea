"""Real nginx, Caddy and HAProxy with the configurations of docs/proxies, on ports of this machine."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

_CONFIGURATIONS = Path(__file__).parents[2] / "docs" / "proxies"
_WITHIN_S = 20
# Packages put some of them where only the administrator looks.
_PATHS = "/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin"

PROXIES = ("nginx", "caddy", "haproxy")


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
            "-keyout", str(key), "-out", str(cert),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@contextmanager
def proxy(name: str, folder: Path, target_port: int) -> Iterator[tuple[str, Path]]:
    """A proxy in front of a port; gives its address and the certificate to trust."""
    program = shutil.which(name, path=_PATHS)
    assert program is not None, f"{name} is needed: sudo apt-get install {name}"
    cert, key = certificate(folder)
    port = free_port()
    command = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy}[name](folder, (cert, key), port, target_port)
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, *command], stdout=output, stderr=output, cwd=folder, env={"HOME": str(folder)}
        )
    try:
        _wait_for(port, process, log)
        yield f"https://localhost:{port}", cert
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


@contextmanager
def balancer(folder: Path, target_ports: Sequence[int]) -> Iterator[str]:
    """Caddy in front of several instances, as docs/proxies/scale.Caddyfile has it but for TLS; gives its address."""
    program = shutil.which("caddy", path=_PATHS)
    assert program is not None, "caddy is needed: sudo apt-get install caddy"
    port = free_port()
    site = (_CONFIGURATIONS / "scale.Caddyfile").read_text("utf-8")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site, "utf-8")
    environment = {
        "HOME": str(folder),
        "SITE": f"http://127.0.0.1:{port}",
        "INSTANCES": " ".join(f"127.0.0.1:{target}" for target in target_ports),
    }
    log = folder / "balancer.log"
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment)
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_WITHIN_S)


def _read(name: str, target_port: int) -> str:
    text = (_CONFIGURATIONS / name).read_text("utf-8")
    assert text.count("127.0.0.1:8000") == 1
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{target_port}")


def _nginx(folder: Path, pair: tuple[Path, Path], port: int, target_port: int) -> list[str]:
    server = _read("nginx.conf", target_port)
    for old, new in (
        ("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2"),
        ("docs.example.org;", "localhost;"),
        ("/etc/ssl/docs.example.org.pem", str(pair[0])),
        ("/etc/ssl/docs.example.org.key", str(pair[1])),
    ):
        assert old in server
        server = server.replace(old, new)
    paths = "".join(
        f"{what}_temp_path {folder}/{what};\n" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = (
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\nuser root;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\n{paths}{server}}}\n"
    )
    (folder / "nginx.conf").write_text(main, "utf-8")
    return ["-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _caddy(folder: Path, pair: tuple[Path, Path], port: int, target_port: int) -> list[str]:
    sites = _read("Caddyfile", target_port)
    assert "docs.example.org {" in sites
    own = f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {pair[0]} {pair[1]}"
    sites = sites.replace("docs.example.org {", own)
    options = "{\n\tadmin off\n\tauto_https off\n}\n"
    (folder / "Caddyfile").write_text(options + sites, "utf-8")
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _haproxy(folder: Path, pair: tuple[Path, Path], port: int, target_port: int) -> list[str]:
    both = folder / "both.pem"
    both.write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
    text = _read("haproxy.cfg", target_port)
    for old, new in (
        ("bind :443 ssl crt /etc/ssl/docs.example.org.pem", f"bind 127.0.0.1:{port} ssl crt {both}"),
        # Who runs tests may not open that many files.
        ("maxconn 10000", "maxconn 500"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    return ["-db", "-f", str(folder / "haproxy.cfg")]


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with closing(socket.socket()) as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"the proxy did not start:\n{re.sub(r'(?m)^', '  ', log.read_text())}")
