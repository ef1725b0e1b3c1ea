"""What every Principals does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from sqlalchemy.exc import IntegrityError
from tests.contracts.values import NOW, a_principal, after

from coscribe.errors import InvalidInput
from coscribe.model import PrincipalKind, Token, new_id
from coscribe.ports import Principals
from coscribe.storage.engine import Database
from coscribe.storage.principals import SqlPrincipals


@pytest.fixture
def principals(database: Database) -> Principals:
    return SqlPrincipals(database)


async def test_a_principal_comes_back_as_it_went_in(principals: Principals) -> None:
    principal = a_principal(name="Žofie 🦦", kind=PrincipalKind.ACCOUNT, colour=11)

    await principals.add(principal)

    assert await principals.get(principal.id) == principal
    assert await principals.get("unknown") is None


async def test_many_finds_those_that_exist(principals: Principals) -> None:
    ann, bob = a_principal(), a_principal()
    for principal in (ann, bob):
        await principals.add(principal)

    assert await principals.many([ann.id, "unknown", bob.id, ann.id]) == {ann.id: ann, bob.id: bob}
    assert await principals.many([]) == {}


async def test_name_and_colour_change_apart(principals: Principals) -> None:
    principal = a_principal(name="Otter", colour=1)
    await principals.add(principal)

    assert await principals.change(principal.id, name="Heron", colour=None) == replace(principal, name="Heron")
    assert await principals.change(principal.id, name=None, colour=0) == replace(principal, name="Heron", colour=0)
    assert await principals.change(principal.id, name=None, colour=None) == replace(principal, name="Heron", colour=0)
    assert await principals.change("unknown", name="x", colour=None) is None
    assert await principals.change("unknown", name=None, colour=None) is None


async def test_a_name_with_nul_is_refused(principals: Principals) -> None:
    with pytest.raises(InvalidInput):
        await principals.add(a_principal(name="a\0"))


async def test_a_session_lasts_until_it_expires(principals: Principals) -> None:
    principal = a_principal()
    await principals.add(principal)

    # 12:00:10 UTC, told from two hours further east.
    await principals.add_session("secret", principal.id, after(10).astimezone(timezone(timedelta(hours=2))))

    assert await principals.by_session("secret", after(9.999999)) == principal
    assert await principals.by_session("secret", after(10)) is None
    assert await principals.by_session("other", NOW) is None


async def test_a_session_needs_its_principal(principals: Principals) -> None:
    with pytest.raises(IntegrityError):
        await principals.add_session("secret", "unknown", after(10))


async def test_a_token_acts_as_its_principal(principals: Principals) -> None:
    principal = a_principal(kind=PrincipalKind.TOKEN, name="ci")
    token = Token(new_id(), principal.id, "ci", "secret", NOW)

    await principals.add_token(token, principal)

    assert await principals.by_token("secret") == principal
    assert await principals.by_token("other") is None
    assert await principals.get(principal.id) == principal


async def test_a_token_that_cannot_be_stored_leaves_no_principal(principals: Principals) -> None:
    first, second = (a_principal(kind=PrincipalKind.TOKEN) for _ in range(2))
    await principals.add_token(Token(new_id(), first.id, "ci", "secret", NOW), first)

    with pytest.raises(IntegrityError):
        await principals.add_token(Token(new_id(), second.id, "ci", "secret", NOW), second)

    assert await principals.get(second.id) is None
