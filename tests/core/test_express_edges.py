"""The express way at its edges: what it must leave to the ordinary way, frame by frame."""

from __future__ import annotations

import pytest
from tests.core.twins import Twins
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import deletes, framed, item, one, place, presence, string, structs, typed, uint, update

from coscribe.core.replica import Replica
from coscribe.core.update import MAX_CLOCK
from coscribe.model import Role

HI = framed(2, one(5, 0, typed("hi")))
# Ten bytes or more are no number: a reader gives up at the ninth.
NO_NUMBER = b"\xff" * 9


def letter(clock: int, text: str = "x", client: int = 5) -> bytes:
    return framed(2, one(client, clock, typed(text, after=(client, clock - 1))))


@pytest.fixture
def twins() -> Twins:
    """Ann has typed "hi" as client 5, and one more letter by the express way; Ben reads."""
    twins = Twins()
    twins.join("ann", ANN)
    twins.join("ben", BEN)
    twins.hear("ann", HI)
    twins.turn()
    twins.hear("ann", letter(2, "!"))
    twins.turn()
    assert twins.counting.taken == 1
    return twins


@pytest.mark.parametrize(
    "frame",
    [
        letter(3),
        letter(3, "\n"),
        letter(3, "é"),
        letter(3, "日本語"),
        letter(3, "~" * 100),
        framed(2, one(5, 3, typed("x", before=(5, 0)))),
        framed(2, one(5, 3, typed("x", after=(5, 0), before=(5, 1)))),
        framed(2, one(5, 3, typed("x"))),
        framed(2, update([], [deletes(5, (0, 1))])),
        framed(2, update([], [deletes(5, (0, 3))])),
    ],
)
def test_a_keystroke_is_taken_and_does_the_same(twins: Twins, frame: bytes) -> None:
    twins.hear("ann", frame)
    told = twins.turn()
    assert twins.counting.taken == 2
    assert told["ben"] == [frame]
    assert told["ann"] == [b"\x71\x03\x03"]


@pytest.mark.parametrize(
    "frame",
    [
        letter(2, "!"),  # again
        letter(3, "😀"),
        letter(3, "\r"),
        letter(3, ""),
        letter(4),
        framed(2, one(5, 3, typed("x", after=(5, 3)))),
        framed(2, one(5, 3, typed("x", after=(6, 0)))),
        framed(2, one(5, 3, typed("x", after=(5, 2), before=(6, 0)))),
        framed(2, one(5, 3, typed(b"\xff", after=(5, 2)))),
        framed(2, one(5, 3, item(4, string("x") + b"\x01", after=(5, 2)))),
        framed(2, update([], [deletes(5, (0, 4))])),
        framed(2, update([], [deletes(5, (1, 0))])),
        framed(1, one(5, 3, typed("x", after=(5, 2)))),
        letter(3, "x" * 128),
        letter(3)[:-1],
        letter(3)[:-1] + b"\x01",
        letter(3, "ab")[:-1] + b"\x01",
        framed(2, update([], [deletes(5, (0, 1))]) + b"\x00"),
        framed(2, update([], [deletes(5, (0, 1), (1, 1))])),
        letter(3) + b"\x00",
    ],
)
def test_anything_else_goes_the_ordinary_way(twins: Twins, frame: bytes) -> None:
    twins.hear("ann", frame)
    twins.turn()
    assert twins.counting.taken == 1


def entries(twins: Twins) -> list[bytes]:
    """What the log has taken since the fixture."""
    return twins.express.stored[2:]


def test_letters_that_go_on_in_one_turn_are_one_entry(twins: Twins) -> None:
    """D2: one entry, one frame for the others; each frame is counted in the ack."""
    twins.hear("ann", *(letter(at, text) for at, text in enumerate("one", start=3)))
    told = twins.turn()
    assert entries(twins) == [letter(3, "one")[3:]]
    assert told["ben"] == [letter(3, "one")]
    assert told["ann"] == [b"\x71\x05\x03"]


def test_the_next_turn_has_an_entry_of_its_own(twins: Twins) -> None:
    twins.hear("ann", letter(3), letter(4))
    twins.turn()
    twins.hear("ann", letter(5))
    twins.turn()
    assert entries(twins) == [letter(3, "xx")[3:], letter(5)[3:]]


def test_each_of_two_who_type_has_his_own(twins: Twins) -> None:
    mine = one(6, 0, typed("b", after=(5, 2)))
    twins.hear("ben", framed(2, mine))
    twins.turn()
    twins.hear("ben", letter(1, "e", client=6))
    twins.hear("ann", letter(3, "x"))
    twins.hear("ben", letter(2, "n", client=6))
    twins.hear("ann", letter(4, "y"))
    told = twins.turn()
    assert entries(twins)[1:] == [letter(1, "en", client=6)[3:], letter(3, "xy")[3:]]
    assert len(told["ann"]) == 2
    assert twins.express.exchange.intake.replica.text in ("hi!xyben", "hi!benxy")


def test_a_word_grows_by_the_letters_behind_it_and_ends_where_the_place_is_another(twins: Twins) -> None:
    twins.hear("ann", letter(3, "wor"), letter(6, "d"), framed(2, one(5, 7, typed("s", after=(5, 5), before=(5, 6)))))
    twins.hear("ann", framed(2, one(5, 8, typed("t", after=(5, 7), before=(5, 6)))))
    twins.turn()
    between = one(5, 7, typed("st", after=(5, 5), before=(5, 6)))
    assert entries(twins) == [letter(3, "word")[3:], between]
    assert twins.express.exchange.intake.replica.text == "hi!worstd"


def test_what_a_session_does_between_two_letters_ends_the_run(twins: Twins) -> None:
    """A history that showed a word with the letter that was taken back would show what never stood there."""
    gone = framed(2, update([], [deletes(5, (5, 1))]))
    twins.hear("ann", letter(3, "w"), letter(4, "o"), letter(5, "r"), gone, letter(6, "k"))
    twins.turn()
    assert entries(twins) == [letter(3, "wor")[3:], gone[3:], letter(6, "k")[3:]]
    several = framed(2, update([], [deletes(5, (0, 1), (2, 1))]))  # which goes the ordinary way
    twins.hear("ann", letter(7), several, letter(8))
    twins.turn()
    assert entries(twins)[3:] == [letter(7)[3:], several[3:], letter(8)[3:]]


def test_two_windows_of_one_person_under_one_id_share_no_run(twins: Twins) -> None:
    twins.join("copy", ANN)
    twins.hear("copy", letter(3, "ab"))
    twins.hear("ann", letter(5))
    twins.hear("copy", letter(6))
    twins.hear("ann", letter(7))
    twins.turn()
    assert entries(twins) == [letter(3, "ab")[3:], letter(5)[3:], letter(6)[3:], letter(7)[3:]]


def test_a_refused_right_origin_is_no_ground_for_the_next_letter(twins: Twins) -> None:
    """Of what was refused nothing may be expected again: this letter without its right origin is no update."""
    right, unknown = (5, 1), (2**53, 0)
    twins.hear("ann", framed(2, one(5, 3, typed("a", after=(5, 0), before=right))))
    twins.hear("ann", framed(2, one(5, 4, typed("b", after=(5, 3), before=unknown))))
    twins.hear("ann", framed(2, one(5, 4, typed("b", after=(5, 3), before=right))))
    twins.hear("ann", framed(2, one(5, 5, b"\xc4" + place(5, 4) + string("c"))))
    told = twins.turn()
    assert not twins.express.has_failed
    assert [frame[0] for frame in told["ann"]][:1] == [0x73]
    assert twins.express.sessions["ann"].outbox.closing is not None
    assert twins.express.exchange.intake.replica.text == "habi!"


def test_a_run_has_one_right_origin(twins: Twins) -> None:
    """A string before another character was refused for what it deletes; it lends its place to no letter."""
    refused = update([structs(5, 4, typed("b", after=(5, 3), before=(5, 0)))], [deletes(5, (2**31, 1))])
    twins.hear("ann", framed(2, one(5, 3, typed("a", after=(5, 0), before=(5, 1)))), framed(2, refused))
    for clock, right in ((4, (5, 1)), (5, (5, 0)), (6, (5, 1))):
        twins.hear("ann", framed(2, one(5, clock, typed("x", after=(5, clock - 1), before=right))))
    twins.turn()


def test_a_full_room_takes_no_letter_more_and_keeps_the_run(twins: Twins) -> None:
    small = Twins(document_bytes=4)
    small.join("ann", ANN)
    small.hear("ann", HI)
    small.turn()
    small.hear("ann", letter(2), letter(3), framed(2, one(5, 4, typed("xyz", after=(5, 3)))), letter(4))
    small.turn()
    small.hear("ann", letter(5), letter(6))
    small.turn()
    assert [entry[-3:-1] for entry in small.express.stored][1] == b"xx"


def test_a_letter_behind_characters_of_several_bytes_has_its_own(twins: Twins) -> None:
    twins.hear("ann", letter(3, "é"), letter(4), letter(5))
    twins.turn()
    assert entries(twins) == [letter(3, "é")[3:], letter(4, "xx")[3:]]


def test_what_waits_for_the_disk_is_counted_to_the_letter(twins: Twins) -> None:
    intake = twins.express.exchange.intake
    twins.hear("ann", letter(3), letter(4), letter(5))
    twins.turn(ends=False)
    assert (intake.reserve.payload_bytes, intake.reserve.memory_bytes) == (
        len(letter(3, "xxx")) - 3,
        len(letter(3, "xxx")) - 3 + 900,
    )
    twins.turn()
    assert (intake.reserve.payload_bytes, intake.reserve.memory_bytes) == (0, 0)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.COMMENTER])
def test_who_lost_the_right_to_write_is_refused(twins: Twins, role: Role) -> None:
    for twin in twins.both:
        twin.sessions["ann"].role = role
    twins.hear("ann", letter(3), framed(2, update([], [deletes(5, (0, 1))])))
    told = twins.turn()
    assert [frame[0] for frame in told["ann"]] == [0x73, 0x71, 0x73, 0x71]
    assert twins.express.exchange.intake.replica.text == "hi!"


def test_somebody_elses_client_id_is_refused(twins: Twins) -> None:
    twins.hear("ben", letter(3), letter(3, "y"))
    told = twins.turn()
    assert twins.counting.taken == 1
    assert told["ben"][0][0] == 0x73


def test_nothing_overtakes_what_is_held(twins: Twins) -> None:
    twins.hear("ann", framed(2, one(6, 0, typed("a", after=(7, 0)))), letter(3), letter(4))
    twins.turn()
    assert twins.counting.taken == 1
    assert twins.express.exchange.intake.replica.text == "hi!xx"


def test_a_character_is_not_cut_in_two(twins: Twins) -> None:
    twins.hear("ann", letter(3, "😀"))
    twins.turn()
    twins.hear("ann", framed(2, update([], [deletes(5, (3, 1))])), framed(2, one(5, 5, typed("x", after=(5, 3)))))
    twins.turn()
    assert twins.express.exchange.intake.replica.text == "hi!😀"


def test_a_full_room_refuses(twins: Twins) -> None:
    small = Twins(document_bytes=4)
    small.join("ann", ANN)
    small.hear("ann", HI, letter(2), letter(3), letter(4), letter(4, "y"), framed(2, update([], [deletes(5, (0, 1))])))
    small.turn()
    small.hear("ann", letter(4), letter(5))
    small.turn()
    assert small.express.exchange.intake.replica.size <= 5


def test_what_was_refused_is_no_ground_for_the_next(twins: Twins) -> None:
    """A string that found no room was looked at already; what is expected behind it must not be taken."""
    small = Twins(document_bytes=4)
    small.join("ann", ANN)
    small.hear("ann", HI)
    small.turn()
    small.hear("ann", letter(2, "longer"), letter(8), letter(2, "ab"), letter(4))
    small.turn()
    assert small.express.exchange.intake.replica.text == "hiabx"


def test_letters_up_to_the_last_clock(twins: Twins) -> None:
    """P2: clocks stay below 2^31; a document whose state says more cannot be opened again."""
    end = MAX_CLOCK - 4
    twins.hear("ann", framed(2, one(5, 3, item(1, uint(end - 3), after=(5, 2)))))
    for clock in range(end, MAX_CLOCK + 2):
        twins.hear("ann", letter(clock))
    for twin in twins.both:
        twin.flush()
    Replica(2).load([twins.express.exchange.intake.replica.diff()])
    twins.turn()


def test_a_right_origin_that_is_no_number_is_malformed(twins: Twins) -> None:
    head = b"\x01\x01" + uint(5) + uint(3) + b"\xc4" + place(5, 2)
    twins.hear("ann", framed(2, head + NO_NUMBER + string("a\x04text") + b"\x00"))
    assert not twins.express.exchange.intake.has_accepted
    twins.turn()


def test_a_letter_in_front_of_no_number_is_malformed(twins: Twins) -> None:
    """After a right origin that nobody has, the next letter is not expected in front of the bytes that stand for it."""
    right = {"before": (5, 0)}
    twins.hear("ann", framed(2, one(5, 3, typed("a", after=(5, 2), **right))))
    twins.turn()
    twins.hear("ann", framed(2, one(5, 4, typed("b", after=(5, 3), before=(2**53, 0)))))
    twins.hear("ann", framed(2, one(5, 4, typed("b", after=(5, 3), **right))))
    twins.turn()
    head = b"\x01\x01" + uint(5) + uint(5) + b"\xc4" + place(5, 4)
    twins.hear("ann", framed(2, head + NO_NUMBER + string("c") + b"\x00"))
    assert not twins.express.exchange.intake.has_accepted
    twins.turn()


# Carets


def test_the_newest_caret_of_a_turn_is_told(twins: Twins) -> None:
    twins.hear("ann", *(presence((5, clock, f'{{"line":{clock}}}')) for clock in range(1, 5)))
    told = twins.turn()
    assert twins.counting.taken == 5
    assert len(told["ben"]) == 1
    assert twins.express.exchange.awareness.states()[5][2] == {"line": 4}


def test_leaving_is_told(twins: Twins) -> None:
    twins.hear("ann", presence((5, 1, '{"line":1}')))
    twins.turn()
    twins.hear("ann", presence((5, 1, "null")))
    twins.turn()
    assert twins.express.exchange.awareness.states() == {}


@pytest.mark.parametrize(
    "frame",
    [
        presence((5, 1, "{}"))[:-1],
        presence((5, 1, "{}")) + b"\x00",
        presence((5, 2**53, "{}")),
        b"\x01\x05\x01\x05\x01\x02{",
        b"\x01\x04\x01\x05\x01\x02{}",
        b"\x01\x05\x01\x05\x01\x02\xff\xff",
        b"\x01\x02\x01\x05",
        b"\x01\x85\x00\x01\x05\x01\x02{}",
        b"\x01\x85\x80\x00\x01\x05\x01\x02{}",
        presence((5, 1, "{}"), (6, 1, "{}")),
        presence((6, 1, "{}")),
        presence((5, 1, '{"a":"' + "x" * 4000 + '"}')),
        presence((5, 1, '{"a":"' + "x" * 40_000 + '"}')),
    ],
)
def test_a_caret_that_is_none_ends_its_session_and_no_other(twins: Twins, frame: bytes) -> None:
    twins.hear("ann", frame)
    twins.hear("ben", presence((6, 1, "{}")))
    twins.turn()
    assert 6 in twins.express.exchange.awareness.states()


def test_five_states_in_a_long_message_are_read_as_such(twins: Twins) -> None:
    """Three bytes of length, of which the last is 1, and a client whose id is the count of the states."""
    long = '{"a":"' + "x" * 4200 + '"}'
    frame = presence((5, 1, '{"line":1}'), *((client, 1, long) for client in range(6, 10)))
    assert frame[3] == 1
    assert frame[4] == frame[5] == 5
    twins.hear("ann", frame)
    twins.turn()
    assert twins.express.sessions["ann"].outbox.closing is None


def test_who_leaves_is_told_of_no_more(twins: Twins) -> None:
    twins.hear("ann", presence((5, 1, "{}")))
    twins.leave("ann")
    assert not twins.express.exchange.express.carets
    twins.express.flush()
    assert twins.express.exchange.awareness.states() == {}


def test_a_run_of_typing_is_one_piece_however_long(twins: Twins) -> None:
    before = twins.express.exchange.intake.fragments
    for clock in range(3, 300):
        twins.hear("ann", letter(clock, "xé"[clock % 2]))
        twins.turn()
    assert twins.counting.taken == 1 + 297
    assert twins.express.exchange.intake.fragments == before


def test_a_letter_elsewhere_is_one_piece_more(twins: Twins) -> None:
    before = twins.express.exchange.intake.fragments
    twins.hear("ann", framed(2, one(5, 3, typed("x", after=(5, 0), before=(5, 1)))))
    twins.hear("ann", framed(2, one(5, 4, typed("y", before=(5, 0)))))
    twins.turn()
    assert twins.counting.taken == 3
    assert twins.express.exchange.intake.fragments == before + 2
