"""Fixtures that every test may use."""

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.databases",
    "tests.support.redis",
    "tests.support.server",
    "tests.support.fleet",
    "tests.support.sick_disk",
    "tests.support.proof",
]
