"""One browser for all tests of a worker; every test invites people of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tests.support.browser import Visitor, invite, launch
from tests.support.server import CoscribeServer

Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await launch(playwright)
        yield running
        await running.close()


async def visits(browser: Browser, server: CoscribeServer) -> AsyncIterator[Visit]:
    people: list[Visitor] = []
    async with AsyncExitStack() as stack:

        async def visit(**settings: Any) -> Visitor:
            context = await stack.enter_async_context(await browser.new_context(**settings))
            people.append(await invite(context, server.url))
            return people[-1]

        yield visit
        for person in people:
            print(await person.last_seen())  # pytest shows it beside a failure
    assert [trouble for person in people for trouble in person.troubles] == []


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, server: CoscribeServer) -> AsyncIterator[Visit]:
    """Invites a person to the shared server: `await visit(color_scheme="dark")`."""
    async for invitation in visits(browser, server):
        yield invitation


@pytest.fixture(scope="session")
def _second_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    with CoscribeServer(tmp_path_factory.mktemp("stoppable")) as running:
        yield running


@pytest.fixture
def stoppable(_second_server: CoscribeServer) -> Iterator[CoscribeServer]:
    """A server that the test may stop: nobody else uses it meanwhile."""
    yield _second_server
    if not _second_server.is_running:
        _second_server.start()


@pytest_asyncio.fixture(loop_scope="session")
async def visit_stoppable(browser: Browser, stoppable: CoscribeServer) -> AsyncIterator[Visit]:
    """Invites a person to the server that the test may stop."""
    async for invitation in visits(browser, stoppable):
        yield invitation
