"""Fixtures that every test may use."""

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.databases",
    "tests.support.server",
    "tests.support.sick_disk",
    "tests.support.proof",
]
