"""What is written down is what is there: settings, lock files, container files."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from tests.packaging import settings_table

from coscribe.config import Settings

TOP = Path(__file__).parents[2]
LOCKS = ["requirements.txt", "requirements-build.txt", "requirements-dev.txt"]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)


def project() -> dict[str, Any]:
    return tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((TOP / lock).read_text("utf-8")))


def declared(group: str) -> list[Requirement]:
    """The requirements of a dependency group without the groups that it includes, or of the project itself."""
    listed = project()["dependency-groups"][group] if group else project()["project"]["dependencies"]
    return [Requirement(line) for line in listed if isinstance(line, str)]


# docs/operations.md


def test_the_table_of_settings_is_that_of_the_program() -> None:
    assert settings_table.written() == settings_table.table()


def test_every_setting_says_what_it_does() -> None:
    assert all(str(field.description).endswith((".", "`")) for field in Settings.model_fields.values())


def test_every_limit_is_told_with_what_happens() -> None:
    page = settings_table.PAGE.read_text("utf-8")
    told = page[page.index("## Limits") : page.index("## Watching it")]
    limits = [name.upper() for name in Settings.model_fields if name.startswith("max_")]
    assert [name for name in limits if f"`{name}`" not in told] == []


# Lock files


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-autobahn.txt"])
def test_a_python_lock_names_no_host_and_every_hash(lock: str) -> None:
    text = (TOP / lock).read_text("utf-8")
    assert not re.search(r"https?:|file:|^\s*--(index|extra|find|trusted)", text, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries if not entry.startswith("#"))


def test_the_npm_lock_names_no_host_and_every_hash() -> None:
    text = (TOP / "web" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    assert text.count('"integrity": "sha512-') > 50


@pytest.mark.parametrize(
    ("group", "lock"),
    [("", LOCKS[0]), ("build", LOCKS[1]), ("", LOCKS[2]), ("build", LOCKS[2]), ("dev", LOCKS[2])],
)
def test_a_lock_holds_what_the_project_declares(group: str, lock: str) -> None:
    found = pins(lock)
    for requirement in declared(group):
        assert requirement.specifier.contains(found[requirement.name.lower()]), requirement


def test_what_runs_is_what_is_tested() -> None:
    tested = pins("requirements-dev.txt")
    for lock in LOCKS[:2]:
        assert {name: tested[name] for name in pins(lock)} == pins(lock)


# docker-compose.yml and Dockerfile

SERVICE_KEYS = {
    "build": str, "image": str, "init": bool, "restart": str, "stop_grace_period": str, "ports": list,
    "environment": dict, "volumes": list, "read_only": bool, "tmpfs": list, "cap_drop": list, "security_opt": list,
}  # fmt: skip


def test_the_compose_file_has_one_service_on_a_named_volume() -> None:
    """A compact form of the Compose specification: only these keys, with these types."""
    compose = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))
    assert set(compose) == {"name", "services", "volumes"}
    (service,) = compose["services"].values()
    assert set(service) <= set(SERVICE_KEYS)
    assert all(isinstance(value, SERVICE_KEYS[key]) for key, value in service.items())
    assert all(isinstance(value, str) for value in service["environment"].values())
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(compose["volumes"])
    assert service["read_only"] is True
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["volumes"] == ["data:/data"]


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    text = (TOP / "docker-compose.yml").read_text("utf-8") + (TOP / "Dockerfile").read_text("utf-8")
    named = {name.removeprefix("COSCRIBE_").lower() for name in re.findall(r"\bCOSCRIBE_[A-Z_]+\b", text)}
    assert named
    assert named <= set(Settings.model_fields)


def instructions() -> list[tuple[str, str]]:
    text = (TOP / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines()
    found = [line.strip().split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, rest in found]


def test_the_image_runs_as_nobody_special_and_reports_its_health() -> None:
    last = instructions()
    while any(word == "FROM" for word, _ in last[1:]):
        last = last[1:]
    words = dict(last)
    assert words["USER"] == "coscribe"
    assert words["VOLUME"] == "/data"
    assert "/health/ready" in words["HEALTHCHECK"]
    assert words["CMD"] == '["coscribe", "serve"]'


def test_every_file_that_the_image_copies_exists_and_is_not_ignored() -> None:
    ignore = [line for line in (TOP / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    kept = {line[1:].rstrip("/") for line in ignore if line.startswith("!")}
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--from"):
            continue
        for source in shlex.split(rest)[:-1]:
            assert (TOP / source).exists(), source
            top = source.split("/")[0]
            assert top in kept or any(Path(top).match(pattern) for pattern in kept), source
