"""Limits of the test's own process."""

from __future__ import annotations

import resource


def raise_open_files(needed: int) -> None:
    """Let this process, and those that it starts, have as many open files as the system allows."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert most > needed, f"the hard limit of open files is too low here: {most}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
