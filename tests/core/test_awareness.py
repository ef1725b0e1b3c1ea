"""Who is here: clocks, identity from the server (rule D9), and states that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.people import ANN, BEN

from coscribe.core.awareness import COLOURS, MAX_STATE_BYTES, Awareness, user_of
from coscribe.core.protocol import AwarenessEntry, AwarenessUpdate, decode
from coscribe.model import Principal, PrincipalKind


def told(frame: bytes | None) -> dict[int, tuple[int, Any]]:
    if frame is None:
        return {}
    message = decode(frame)
    assert isinstance(message, AwarenessUpdate)
    return {client: (clock, json.loads(state)) for client, clock, state in message.entries}


def say(awareness: Awareness, who: Principal, client: int, clock: int, state: str, session: str = "") -> None:
    awareness.receive(session or who.id, who, (AwarenessEntry(client, clock, state),))


@pytest.fixture
def awareness() -> Awareness:
    """Ann is here as client 5 at clock 3."""
    awareness = Awareness()
    say(awareness, ANN, 5, 3, '{"line":1}')
    awareness.flush()
    return awareness


def test_d9_the_server_says_who_it_is() -> None:
    awareness = Awareness()
    say(awareness, ANN, 5, 3, '{"line":1,"user":{"id":"ben","name":"Ben"},"own":[1]}')

    [(clock, state)] = told(awareness.flush()).values()

    assert clock == 3
    user = {"id": "ann", "name": "Ann", "color": "#1a50ff", "colorLight": "#d1dcff", "kind": "guest"}
    assert state == {"line": 1, "user": user, "own": [1]}
    assert awareness.flush() is None


@pytest.mark.parametrize("clock", [0, 2, 3])
def test_an_older_state_is_passed_over(awareness: Awareness, clock: int) -> None:
    say(awareness, ANN, 5, clock, '{"line":9}')
    assert awareness.flush() is None


def test_a_newer_state_replaces_and_its_clock_is_told(awareness: Awareness) -> None:
    say(awareness, ANN, 5, 7, '{"line":2}')
    say(awareness, ANN, 5, 9, '{"line":4}')
    [(clock, state)] = told(awareness.flush()).values()
    assert (clock, state["line"]) == (9, 4)


def test_null_wins_at_an_equal_clock(awareness: Awareness) -> None:
    say(awareness, ANN, 5, 3, "null")
    assert told(awareness.flush()) == {5: (4, None)}
    assert awareness.states() == {}


def test_what_a_session_repeats_of_others_is_ignored(awareness: Awareness) -> None:
    say(awareness, BEN, 6, 1, "{}")
    say(awareness, BEN, 5, 99, '{"line":66}')
    say(awareness, BEN, 5, 100, "null")
    assert set(told(awareness.flush())) == {6}
    assert awareness.states()[5][2] == {"line": 1}


def test_a_newcomer_cannot_begin_as_somebody_else(awareness: Awareness) -> None:
    say(awareness, BEN, 5, 99, '{"line":66}')
    assert awareness.flush() is None
    assert awareness.states()[5][1] == ANN


def test_one_session_has_one_state(awareness: Awareness) -> None:
    say(awareness, ANN, 7, 1, "{}")
    assert set(awareness.states()) == {5}


def test_the_same_principal_on_a_new_line_takes_its_state_over(awareness: Awareness) -> None:
    say(awareness, ANN, 5, 4, '{"line":8}', session="new line")
    assert awareness.states()[5][0] == "new line"
    awareness.leave("ann")
    assert awareness.states()[5][0] == "new line"
    awareness.leave("new line")
    assert awareness.states() == {}


def test_leaving_is_told_with_a_higher_clock_and_coming_back_with_one_higher_still(awareness: Awareness) -> None:
    awareness.leave("ann")
    assert told(awareness.flush()) == {5: (4, None)}
    say(awareness, ANN, 5, 3, "{}", session="again")
    [(clock, state)] = told(awareness.flush()).values()
    assert clock == 5
    assert state is not None


def test_one_who_was_told_of_nobody_leaves_in_silence() -> None:
    awareness = Awareness()
    awareness.leave("nobody")
    assert awareness.flush() is None


def test_refreshing_repeats_every_state_under_a_higher_clock(awareness: Awareness) -> None:
    awareness.refresh()
    [(clock, _)] = told(awareness.flush()).values()
    assert clock == 4


def test_a_new_name_is_shown_on_all_states(awareness: Awareness) -> None:
    awareness.rename(Principal("ann", PrincipalKind.GUEST, "Anna", 3))
    [(clock, state)] = told(awareness.flush()).values()
    assert (clock, state["user"]["name"], state["user"]["color"]) == (4, "Anna", COLOURS[3])


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        '"text"',
        "7",
        "undefined",
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1e999}',  # infinity once it is parsed
        '{"a":-1E+999}',
        '{"a":[{"b":1.5e400}]}',
        '{"a":1' + "0" * 400 + ".0}",
        '{"a":-Infinity}',
        '{"a":"\\ud800"}',  # half a surrogate pair: no UTF-8 could tell it on
        '{"\\udc00":1}',
        '{"a":{"b":{"c":{"d":{"e":{}}}}}}',
        '{"a":' + "[" * 1900 + "]" * 1900 + "}",
    ],
)
def test_a_state_that_is_none_is_told_as_absence(state: str) -> None:
    awareness = Awareness()
    say(awareness, ANN, 5, 3, state)
    assert told(awareness.flush()) == {5: (3, None)}
    assert told(awareness.encode_all()) == {5: (3, None)}
    assert awareness.states() == {}


@pytest.mark.parametrize(
    "state",
    [
        '{"a":1e30}',
        '{"a":1e-999}',
        '{"a":"1e999"}',
        '{"a":"2e999 words"}',
        '{"a":1.7e308}',
        '{"a":"' + "7" * 301 + '"}',
    ],
)
def test_what_only_looks_infinite_is_told(state: str) -> None:
    awareness = Awareness()
    say(awareness, ANN, 5, 3, state)
    assert awareness.states()[5][2] == json.loads(state)
    [(_, fields)] = told(awareness.flush()).values()
    assert fields["a"] == json.loads(state)["a"]


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        ('{"a":[[[[1]]]]}', True),
        ('{"a":[[[[[1]]]]]}', False),
        ('{"a":{"b":{"c":{"d":7}}}}', True),
        ('{"a":{"b":{"c":{"d":[]}}}}', True),
        ('{"a":{"b":{"c":{"d":{"e":1}}}}}', True),
        ('{"a":{"b":{"c":{"d":[[]]}}},"f":1}', False),
    ],
)
def test_a_state_is_four_levels_deep_at_most(state: str, *, is_told: bool) -> None:
    awareness = Awareness()
    say(awareness, ANN, 5, 3, state)
    assert (5 in awareness.states()) is is_told


def test_a_caret_is_not_too_deep() -> None:
    awareness = Awareness()
    caret = '{"cursor":{"anchor":{"item":{"client":5,"clock":1}}}}'
    say(awareness, ANN, 5, 1, caret)
    assert awareness.states()[5][2] == json.loads(caret)


@pytest.mark.parametrize("pad", ["a", "😀"])
def test_a_state_has_at_most_4096_bytes(awareness: Awareness, pad: str) -> None:
    room = MAX_STATE_BYTES - len('{"a":""}')
    fits = '{"a":"' + pad * (room // len(pad.encode())) + '"}'
    say(awareness, ANN, 5, 4, fits)
    assert awareness.states()[5][2] == json.loads(fits)
    say(awareness, ANN, 5, 5, fits.replace('"}', 'aaaa"}'))
    assert awareness.states()[5][2] == json.loads(fits)


def test_a_clock_that_others_could_not_count_on_from_is_passed_over(awareness: Awareness) -> None:
    say(awareness, ANN, 5, 2**53 - 1, '{"line":5}')
    assert awareness.flush() is None
    say(awareness, BEN, 6, 2**53 - 1, "{}")
    assert awareness.flush() is None


def test_a_writer_over_rest_has_a_state_that_the_server_makes(awareness: Awareness) -> None:
    awareness.put("rest:ben", 9, BEN, {"line": None})
    awareness.put("rest:ben", 9, BEN, {"line": 3})
    [(clock, state)] = told(awareness.flush()).values()
    assert (clock, state["line"], state["user"]["id"]) == (1, 3, "ben")
    awareness.put("rest:ann", 9, ANN, {"line": 4})  # a client id belongs to one session
    assert awareness.flush() is None


def test_everyone_is_told_in_one_message(awareness: Awareness) -> None:
    say(awareness, BEN, 6, 1, "{}")
    assert set(told(awareness.encode_all())) == {5, 6}
    assert Awareness().encode_all() is None


def test_the_memory_of_those_who_left_is_bounded() -> None:
    awareness = Awareness()
    for client in range(5000):
        say(awareness, ANN, client, 1, "{}", session=str(client))
        awareness.leave(str(client))
    assert len(awareness._departed) == 4096
    awareness.flush()


@pytest.mark.parametrize("index", range(12))
def test_colours_have_six_digits(index: int) -> None:
    user = user_of(Principal("p", PrincipalKind.TOKEN, "P", index))
    assert len(user["color"]) == len(user["colorLight"]) == 7
    assert int(user["colorLight"][1:], 16) > int(user["color"][1:], 16)
