"""What is written down is what is there: settings, lock files, container files."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
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
    """The requirements of an extra, of a dependency group without those that it includes, or of the project itself."""
    groups = {"": project()["project"]["dependencies"], **project()["project"]["optional-dependencies"]}
    listed = (groups | project()["dependency-groups"])[group]
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
    [
        ("", LOCKS[0]), ("tracing", LOCKS[0]), ("build", LOCKS[1]),
        ("", LOCKS[2]), ("tracing", LOCKS[2]), ("build", LOCKS[2]), ("dev", LOCKS[2]),
    ],
)  # fmt: skip
def test_a_lock_holds_what_the_project_declares(group: str, lock: str) -> None:
    found = pins(lock)
    for requirement in declared(group):
        assert requirement.specifier.contains(found[requirement.name.lower()]), requirement


def test_what_runs_is_what_is_tested() -> None:
    tested = pins("requirements-dev.txt")
    for lock in LOCKS[:2]:
        assert {name: tested[name] for name in pins(lock)} == pins(lock)


# docker-compose.yml and Dockerfile


def compose() -> dict[str, Any]:
    found = yaml.safe_load((TOP / "docker-compose.yml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def services(profile: str) -> dict[str, Any]:
    """The services that start with a profile."""
    return {
        name: service
        for name, service in compose()["services"].items()
        if profile in service.get("profiles", [profile])
    }


def test_the_compose_file_is_one_by_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*command, str(TOP / "docker-compose.yml")], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_volume_that_is_used_is_named_and_every_file_is_there() -> None:
    used = [volume.split(":") for service in compose()["services"].values() for volume in service.get("volumes", [])]
    assert {source for source, *_ in used if not source.startswith(".")} == set(compose()["volumes"])
    assert all((TOP / source).is_file() for source, *_ in used if source.startswith("."))


def test_without_a_word_there_is_one_instance_for_this_machine() -> None:
    profile = (TOP / ".env").read_text("utf-8").strip()
    assert profile == "COMPOSE_PROFILES=single"
    [service] = services("single").values()
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert service["volumes"] == ["data:/data"]


def test_the_scaled_one_has_three_instances_of_one_database_one_redis_and_one_secret() -> None:
    scaled = services("scale")
    instances = {name: service for name, service in scaled.items() if service["image"] == "coscribe"}
    assert set(scaled) - set(instances) == {"postgres", "redis", "caddy"}
    assert len(instances) == 3
    for service in instances.values():
        assert "ports" not in service
        assert service["volumes"] == ["secret:/data"]
        assert service["environment"]["COSCRIBE_DATABASE_URL"].endswith("@postgres/coscribe")
        assert service["environment"]["COSCRIBE_REDIS_URL"] == "redis://redis:6379/0"
        assert {needed["condition"] for needed in service["depends_on"].values()} == {"service_healthy"}
    assert scaled["caddy"]["environment"]["INSTANCES"].split() == [f"{name}:8000" for name in instances]
    assert "ports" not in scaled["postgres"]
    assert "ports" not in scaled["redis"]


@pytest.mark.parametrize("name", ["coscribe", "instance1", "instance2", "instance3"])
def test_an_instance_has_no_more_rights_than_it_needs(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True


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
