"""The heart of a room: who may write what, who hears of it, and when it counts as saved."""

from __future__ import annotations

import hashlib
import json

import pytest
from tests.support.people import ANN, BEN, HELLO, a_session, an_exchange, commit, joined
from tests.support.wire_bytes import deletes, framed, item, one, place, presence, string, structs, typed, uint, update

from coscribe.core.exchange import Exchange
from coscribe.core.reserve import ENTRY_OVERHEAD
from coscribe.core.splices import Splice
from coscribe.errors import InvalidInput, Malformed, PreconditionFailed, UpdateRefused
from coscribe.model import SERVER, Role

HI = one(5, 0, typed("hi"))
MORE = one(5, 2, typed("!", after=(5, 1)))
# Both as one update: the second continues the first.
TOGETHER = one(5, 0, typed("hi!"))
LATER = one(5, 3, typed("?", after=(5, 2)))


def text_of(exchange: Exchange) -> str:
    return exchange.intake.replica.text


def notice(frame: bytes) -> dict[str, object]:
    assert frame[0] == 0x73
    found = json.loads(frame[2 if frame[1] < 0x80 else 3 :])
    assert isinstance(found, dict)
    return found


# Joining, asking


def test_a_session_is_greeted_with_our_step_1_and_everyones_awareness() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, presence((5, 1, "{}")))
    ben = a_session("ben", BEN)
    exchange.join(ben)

    step1, everyone = ben.outbox.take()
    assert step1 == framed(0, b"\x01\x05\x02")
    assert everyone[0] == 1


def test_a_step_1_is_answered_with_what_is_missing() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))

    exchange.receive(ann, framed(0, b"\x00"))
    exchange.receive(ann, framed(0, b"\x01\x05\x02"))

    whole, nothing = ann.outbox.take()
    assert whole[:2] == b"\x00\x01"
    assert b"hi" in whole
    assert nothing == framed(1, b"\x00\x00")


def test_the_whole_state_is_encoded_once_for_all_who_join() -> None:
    exchange = an_exchange(HI)
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    for session in (ann, ben):
        exchange.receive(session, framed(0, b"\x00"))
    [first], [second] = ann.outbox.take(), ben.outbox.take()
    assert first is second

    exchange.receive(ann, framed(2, MORE))
    exchange.receive(ben, framed(0, b"\x00"))
    *_, newest = ben.outbox.take()
    assert b"hi!" in newest


@pytest.mark.parametrize("sv", [b"\x01", b"\x01\x05\x80\x80\x80\x80\x08", b"\x01" + b"\x80" * 7 + b"\x10\x01"])
def test_a_state_vector_that_is_none_ends_the_conversation(sv: bytes) -> None:
    exchange = an_exchange(HI)
    with pytest.raises(Malformed):
        exchange.receive(joined(exchange, a_session("ann")), framed(0, sv))


def test_who_asks_for_presence_hears_something_always() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, b"\x03")
    assert ann.outbox.take() == [b"\x01\x01\x00"]
    exchange.receive(ann, presence((5, 1, "{}")))
    exchange.receive(ann, b"\x03")
    assert b'"ann"' in ann.outbox.take()[0]


def test_d6_a_copy_of_another_generation_is_told_so() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann", ours=False))
    exchange.receive(ann, HELLO)
    exchange.receive(ann, b"\x70\x01\x01\x00")
    assert ann.outbox.closing is None
    exchange.receive(ann, b"\x70\x01\x02\x00")
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 4409
    assert notice(ann.outbox.take()[-1])["kind"] == "generation"


def test_another_protocol_version_is_not_spoken() -> None:
    exchange = an_exchange()
    with pytest.raises(Malformed, match="version 2"):
        exchange.receive(joined(exchange, a_session("ann")), b"\x70\x02\x00\x00")


# Writing


def test_an_update_goes_to_everyone_else_and_is_acked_after_the_commit() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN, Role.VIEWER))

    exchange.receive(ann, framed(2, HI))
    exchange.receive(ann, framed(2, MORE))
    exchange.flush()

    assert text_of(exchange) == "hi!"
    assert str(exchange.intake.text) == ""
    assert ben.outbox.take() == [framed(2, TOGETHER)]  # rule P17
    assert ann.outbox.take() == []  # rule D3: never before the commit
    assert commit(exchange) == 2
    assert ann.outbox.take() == [b"\x71\x02\x02"]
    assert ben.outbox.take() == []
    assert str(exchange.intake.text) == "hi!"


def test_letters_that_go_on_are_entries_of_a_hundred_at_most() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, HI))
    exchange.flush()
    commit(exchange)
    for clock in range(2, 252):
        exchange.receive(ann, framed(2, one(5, clock, typed("x", after=(5, clock - 1)))))
    exchange.flush()
    entries = [entry.payload for batch in exchange.intake.take() for entry in batch.entries]
    assert entries == [
        one(5, clock, typed("x" * count, after=(5, clock - 1))) for clock, count in ((2, 100), (102, 100), (202, 50))
    ]
    assert commit(exchange) == 3
    assert ann.outbox.take()[-1] == b"\x71\xfb\x01\x04"


def test_a_turn_that_is_used_up_leaves_the_rest_to_the_next() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    # A hundred are one transaction; a letter in front of another goes on with nothing.
    for clock in range(250):
        exchange.receive(ann, framed(2, one(5, clock, typed("x", before=(5, clock - 1) if clock else None))))
    for length in (100, 200, 250):
        assert exchange.is_dirty
        exchange.flush(0.0)
        assert text_of(exchange) == "x" * length
        assert len(ben.outbox.take()) == 1
    assert not exchange.is_dirty


def test_d3_what_is_in_flight_is_not_acked_by_an_earlier_commit() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, HI))
    exchange.flush()
    taken = exchange.intake.take()
    exchange.receive(ann, framed(2, MORE))
    exchange.flush()
    assert exchange.intake.take() is taken

    exchange.intake.committed()
    exchange.offers.acknowledge()
    assert ann.outbox.take() == [b"\x71\x01\x01"]
    assert commit(exchange) == 1
    assert ann.outbox.take() == [b"\x71\x02\x02"]


def test_a_known_update_is_acked_only_when_what_it_repeats_is_durable() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ann, framed(2, HI))
    exchange.receive(ben, framed(1, HI))
    exchange.flush()
    assert not any(frame[0] == 0x71 for frame in ben.outbox.take())

    assert commit(exchange) == 1
    assert ben.outbox.take() == [b"\x71\x01\x01"]
    exchange.receive(ben, framed(1, HI))
    assert ben.outbox.take() == [b"\x71\x02\x01"]


def test_an_empty_update_is_acked_at_once() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(1, b"\x00\x00"))
    assert ann.outbox.take() == [b"\x71\x01\x00"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.COMMENTER])
@pytest.mark.parametrize("kind", [1, 2])
def test_readers_cannot_write(role: Role, kind: int) -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann", role=role))

    exchange.receive(ann, framed(kind, HI))
    exchange.flush()

    told, ack = ann.outbox.take()
    assert (notice(told)["kind"], notice(told)["limit"], notice(told)["frame"]) == ("refused", "role", 1)
    assert ack == b"\x71\x01\x00"
    assert text_of(exchange) == ""


def test_a_reader_may_repeat_what_is_known() -> None:
    exchange = an_exchange(HI, update(removed=[deletes(5, (0, 1))]))
    ann = joined(exchange, a_session("ann", role=Role.VIEWER))
    exchange.receive(ann, framed(1, update([structs(5, 0, typed("hi"))], [deletes(5, (0, 1))])))
    assert ann.outbox.take() == [b"\x71\x01\x00"]


def test_stock_clients_hear_permission_denied() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann", role=Role.VIEWER, ours=False))
    exchange.receive(ann, framed(2, HI))
    [denied] = ann.outbox.take()
    assert denied[:2] == b"\x02\x00"


def test_content_that_is_not_allowed_is_refused_and_the_session_goes_on() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(5, 0, item(5, string("{}")))))
    exchange.receive(ann, framed(2, one(6, 0, typed("a"))))
    told, ack = ann.outbox.take()
    assert notice(told)["limit"] == "content"
    assert ack == b"\x71\x01\x00"
    commit(exchange)
    assert ann.outbox.take() == [b"\x71\x02\x01"]


def test_d10_a_client_id_belongs_to_its_first_principal() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    ben.outbox.take()

    exchange.receive(ben, framed(2, MORE))

    forked, ack = ben.outbox.take()
    assert (notice(forked)["kind"], notice(forked)["frame"], ack) == ("fork", 1, b"\x71\x01\x01")
    assert ben.outbox.closing is not None
    assert ben.outbox.closing.code == 4409
    assert text_of(exchange) == "hi"
    stock = joined(exchange, a_session("stock", BEN, ours=False))
    exchange.receive(stock, framed(2, MORE))
    [denied] = stock.outbox.take()
    assert denied[:2] == b"\x02\x00"


def test_d10_what_others_bring_of_an_author_is_taken_and_binds_nothing() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    exchange.receive(ben, framed(2, update([structs(5, 0, typed("hi")), structs(6, 0, typed("b", after=(5, 1)))])))
    assert commit(exchange) == 1  # what it repeats of Ann's is nothing new

    exchange.receive(ben, framed(1, MORE))  # in a step 2: Ann may have lost it in a crash
    exchange.receive(ben, framed(1, one(7, 0, typed("c", after=(5, 1)))))
    assert exchange.submit(BEN, one(8, 0, typed("d", after=(5, 1)))) is not None
    assert commit(exchange) == 3
    exchange.receive(ann, framed(2, LATER))
    exchange.receive(ann, framed(2, one(7, 1, typed("e", after=(7, 0)))))
    exchange.receive(ann, framed(2, one(8, 1, typed("f", after=(8, 0)))))
    commit(exchange)

    assert all(part in text_of(exchange) for part in ("hi", "!?", "b", "ce", "df"))
    assert [exchange.intake.ownership.of(client) for client in (5, 6, 7, 8)] == ["ann", "ben", "ann", "ann"]


def test_d10_nobody_writes_under_the_servers_own_id() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(1, 0, typed("a"))))
    assert notice(ann.outbox.take()[0])["kind"] == "fork"


def test_awareness_under_a_client_id_of_somebody_else_is_ignored() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ann, framed(2, HI))
    exchange.receive(ben, presence((5, 9, "{}"), (6, 1, "{}")))
    assert set(exchange.awareness.states()) == {6}


def test_a_circle_of_structs_is_refused() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    circle = update([structs(5, 0, typed("a", after=(6, 0))), structs(6, 0, typed("b", after=(5, 0)))])
    exchange.receive(ann, framed(2, circle))
    assert notice(ann.outbox.take()[0])["limit"] == "order"
    exchange.receive(ann, framed(2, HI))
    exchange.flush()
    assert text_of(exchange) == "hi"


def test_a_cut_through_a_pair_is_refused() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(5, 0, typed("😀"))))
    exchange.receive(ann, framed(2, one(6, 0, typed("x", after=(5, 0), before=(5, 1)))))
    assert notice(ann.outbox.take()[0])["frame"] == 2
    exchange.edit(ANN, lambda _: [Splice(0, 0, "🎉")])
    client = exchange.intake.replica.client_id
    exchange.receive(ann, framed(2, one(6, 0, typed("x", after=(client, 0)))))
    assert notice(ann.outbox.take()[-1])["frame"] == 3


# Gaps


def test_d4_an_update_ahead_of_a_gap_waits_and_its_sender_is_asked_once() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))

    exchange.receive(ann, framed(2, LATER))
    exchange.receive(ann, framed(2, MORE))
    exchange.flush()

    assert ann.outbox.take() == [framed(0, b"\x00")]
    assert (text_of(exchange), commit(exchange)) == ("", 0)
    exchange.receive(ann, framed(1, HI))
    assert commit(exchange) == 3
    assert text_of(exchange) == "hi!?"
    assert ann.outbox.take()[-1] == b"\x71\x03\x03"


def test_an_answer_that_waits_itself_is_not_asked_for_again() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    for _ in range(3):
        exchange.receive(ann, framed(1, MORE))
    assert ann.outbox.take() == [framed(0, b"\x00")]


def test_deletions_of_what_is_not_here_wait() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, update(removed=[deletes(5, (0, 1))])))
    exchange.flush()
    assert commit(exchange) == 0
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    assert text_of(exchange) == "i"
    assert commit(exchange) == 0


def test_several_who_wait_are_released_together() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, one(6, 0, typed("b", after=(5, 1)))))
    exchange.receive(ben, framed(1, update(removed=[deletes(5, (0, 1))])))  # flushes as it is released
    cat = joined(exchange, a_session("cat", BEN))
    exchange.receive(cat, framed(2, one(7, 0, typed("c", after=(6, 0)))))

    exchange.receive(ann, framed(2, HI))
    exchange.flush()

    assert text_of(exchange) == "ibc"
    assert commit(exchange) == 4
    assert ben.outbox.take()[-1] == b"\x71\x02\x04"
    assert cat.outbox.take()[-1] == b"\x71\x01\x04"


def test_what_waits_is_bounded() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    for _ in range(257):
        assert ann.outbox.closing is None
        exchange.receive(ann, framed(2, MORE))
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 1013


def test_a_role_that_was_lost_while_waiting_counts() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, one(6, 0, typed("b", after=(5, 1)))))
    ben.role = Role.VIEWER
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    assert text_of(exchange) == "hi"
    assert notice(ben.outbox.take()[-2])["limit"] == "role"


def test_who_leaves_takes_what_waits_along() -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, one(6, 0, typed("b", after=(5, 1)))))
    exchange.receive(ben, presence((6, 1, "{}")))
    exchange.leave(ben)
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    assert text_of(exchange) == "hi"
    assert exchange.awareness.states() == {}


# Deletions in a step 2


def test_a_step_2_of_known_deletions_is_not_logged() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    gone = framed(1, update(removed=[deletes(5, (0, 1))]))

    exchange.receive(ann, gone)
    assert commit(exchange) == 1
    exchange.receive(ann, gone)
    assert commit(exchange) == 0
    assert ann.outbox.take() == [b"\x71\x01\x01", b"\x71\x02\x01"]
    assert text_of(exchange) == "i"


# Line ends


@pytest.mark.parametrize(
    ("typed_text", "wanted"),
    [("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("\r\r\n\r", "\n\n\n"), ("é\r😀\r\n", "é\n😀\n")],
)
def test_d12_carriage_returns_become_line_feeds(typed_text: str, wanted: str) -> None:
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    raw = one(5, 0, typed(typed_text))
    exchange.receive(ann, framed(2, raw))
    exchange.flush()

    assert text_of(exchange) == wanted
    assert len(ann.outbox.take()) == 1  # the server's own edit
    assert len(ben.outbox.take()) == 2
    [first, second] = exchange.intake.take()
    assert [entry.payload for entry in first.entries] == [raw]  # rule D2: what came is kept as it came
    assert second.authors == (SERVER,)


@pytest.mark.parametrize("limits", [{"document_bytes": 3}, {"unsaved_bytes": 1}])
def test_carriage_returns_go_also_where_there_is_no_room_for_more(limits: dict[str, int]) -> None:
    exchange = an_exchange(**limits)
    exchange.receive(joined(exchange, a_session("ann")), framed(2, one(5, 0, typed("a\rb"))))
    exchange.flush()
    assert text_of(exchange) == "a\nb"


# Limits


def test_a_document_ends_at_its_limit_and_can_shrink() -> None:
    exchange = an_exchange(HI, document_bytes=3)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, MORE))
    exchange.flush()
    exchange.receive(ann, framed(2, LATER))
    assert notice(ann.outbox.take()[0])["limit"] == "max_document_bytes"

    exchange.receive(ann, framed(2, update(removed=[deletes(5, (0, 1))])))
    exchange.receive(ann, framed(2, LATER))
    exchange.flush()
    assert text_of(exchange) == "i!"
    exchange.receive(ann, framed(2, LATER))
    exchange.flush()
    assert text_of(exchange) == "i!?"


def test_d8_a_room_that_cannot_save_takes_no_more() -> None:
    exchange = an_exchange(unsaved_bytes=len(HI) + ENTRY_OVERHEAD)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, HI))
    exchange.receive(ann, framed(2, MORE))
    exchange.receive(ann, framed(2, LATER))
    exchange.flush()
    assert notice(ann.outbox.take()[0]) | {"reason": ""} == {
        "kind": "refused",
        "reason": "",
        "frame": 3,
        "limit": "max_unsaved_bytes",
    }
    with pytest.raises(UpdateRefused):
        exchange.edit(ANN, lambda _: [Splice(0, 1, "")])
    commit(exchange)
    assert ann.outbox.take() == [b"\x71\x03\x02"]
    exchange.receive(ann, framed(2, LATER))
    commit(exchange)
    assert text_of(exchange) == "hi!?"


def test_d8_what_is_here_already_is_not_turned_away_by_a_full_room() -> None:
    exchange = an_exchange(HI, update(removed=[deletes(5, (0, 1))]), unsaved_bytes=0)
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, one(6, 0, typed("b"))))
    exchange.flush()
    ann.outbox.take()
    exchange.receive(ann, framed(1, update(removed=[deletes(5, (0, 1))])))
    exchange.receive(ann, framed(1, update(removed=[deletes(5, (1, 1))])))
    told = notice(ann.outbox.take()[0])
    assert (told["frame"], told["limit"]) == (2, "max_unsaved_bytes")
    assert exchange.ask_again() is False
    commit(exchange)
    ann.outbox.take()
    assert exchange.ask_again() is True
    assert [frame[:2] for frame in ann.outbox.take()] == [b"\x00\x00"]
    assert exchange.ask_again() is True
    assert ann.outbox.take() == []


# A reader that falls behind


def test_d7_a_slow_reader_hears_who_left_meanwhile() -> None:
    exchange = an_exchange()
    ann, slow = joined(exchange, a_session("ann")), joined(exchange, a_session("slow", BEN, limit=100))
    exchange.receive(ann, presence((5, 1, "{}")))
    exchange.flush()
    assert slow.outbox.is_stale
    exchange.drained(slow)
    slow.outbox.take()
    exchange.receive(ann, framed(2, one(5, 0, typed("a"))))
    exchange.flush()
    assert slow.outbox.is_stale
    exchange.leave(ann)
    exchange.flush()

    exchange.drained(slow)

    assert presence((5, 2, "null")) in slow.outbox.take()


def test_d7_a_slow_reader_gets_one_diff_and_converges() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    slow = joined(exchange, a_session("slow", BEN, limit=100))
    exchange.receive(slow, framed(2, one(6, 0, typed("mine"))))
    copy = an_exchange()
    reader = joined(copy, a_session("copy"))
    copy.receive(reader, framed(2, one(6, 0, typed("mine"))))
    for clock in range(60):
        origin = (5, clock - 1) if clock else (6, 3)
        exchange.receive(ann, framed(2, one(5, clock, typed("é", after=origin))))
        if clock == 2:
            exchange.flush()
            for frame in slow.outbox.take():
                copy.receive(reader, frame)
    exchange.receive(ann, framed(2, update(removed=[deletes(6, (0, 1))])))
    commit(exchange)
    assert slow.outbox.is_stale
    left = slow.outbox.take()
    assert left == [b"\x71\x01\x3e"]

    exchange.drained(slow)

    assert not slow.outbox.is_stale
    for frame in slow.outbox.take():
        if frame[0] == 0:
            copy.receive(reader, frame)
    copy.flush()
    assert text_of(copy) == text_of(exchange) == "ine" + "é" * 60


# Writers over REST


def test_a_rest_edit_is_everybodys_and_is_logged_with_its_author() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))

    item_written = exchange.edit(BEN, lambda text: [Splice(len(text), 0, "!")])

    assert item_written is not None
    assert ann.outbox.take() == [framed(2, item_written.update)]
    [batch] = exchange.intake.take()
    assert (batch.authors, [entry.session_id for entry in batch.entries]) == ((BEN,), ["rest"])
    assert exchange.edit(BEN, lambda _: []) is None


def test_a_rest_edit_sees_what_was_accepted_before_it() -> None:
    exchange = an_exchange(HI)
    exchange.receive(joined(exchange, a_session("ann")), framed(2, MORE))
    seen: list[str] = []

    def plan(text: str) -> list[Splice]:
        seen.append(text)
        return []

    exchange.edit(BEN, plan)
    assert seen == ["hi!"]


def test_a_rest_edit_on_a_text_that_moved_on() -> None:
    exchange = an_exchange(HI)
    exchange.edit(BEN, lambda _: [Splice(0, 0, "1")], expect_seq=0)
    with pytest.raises(PreconditionFailed):
        exchange.edit(BEN, lambda _: [Splice(0, 0, "2")], expect_seq=0)
    commit(exchange)
    with pytest.raises(PreconditionFailed):
        exchange.edit(BEN, lambda _: [Splice(0, 0, "2")], expect_seq=0)
    exchange.edit(BEN, lambda _: [Splice(0, 0, "2")], expect_seq=1)
    assert text_of(exchange) == "21hi"


def test_a_rest_edit_may_replace_a_text_that_fills_the_document() -> None:
    exchange = an_exchange(one(5, 0, typed("x" * 100)), document_bytes=100)
    exchange.edit(BEN, lambda _: [Splice(0, 100, "y" * 100)])
    with pytest.raises(UpdateRefused):
        exchange.edit(BEN, lambda _: [Splice(0, 1, "zé")])
    assert text_of(exchange) == "y" * 100


def test_submitting_an_update_over_rest() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))

    taken = exchange.submit(BEN, HI)
    assert taken is not None
    assert exchange.submit(BEN, HI) is None
    assert exchange.submit(BEN, update(removed=[deletes(5, (0, 1))])) is not None
    assert exchange.submit(BEN, update(removed=[deletes(5, (0, 1))])) is None
    assert exchange.submit(BEN, one(9, 0, typed("\r\na\r", after=(5, 1)))) is not None

    assert text_of(exchange) == "i\na\n"
    assert len(ann.outbox.take()) == 4  # the last of them makes line feeds of what the one before brought
    assert commit(exchange) == 4
    with pytest.raises(InvalidInput) as refused:
        exchange.submit(BEN, LATER)
    assert refused.value.field == "update"
    with pytest.raises(Malformed):
        exchange.submit(BEN, b"\x01")
    with pytest.raises(UpdateRefused):
        exchange.submit(BEN, one(7, 0, item(8, b"\x01\x7e")))
    circle = update([structs(7, 0, typed("a", after=(8, 0))), structs(8, 0, typed("b", after=(7, 0)))])
    with pytest.raises(UpdateRefused):
        exchange.submit(BEN, circle)


# Digests


def test_a_digest_goes_to_our_own_clients() -> None:
    exchange = an_exchange(HI)
    ours, stock = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN, ours=False))
    exchange.tell_digest()
    assert ours.outbox.take() == [b"\x72\x03\x01\x05\x02" + hashlib.sha256(b"hi").digest()]
    assert stock.outbox.take() == []


def test_everyone_is_asked_for_what_is_not_here() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.ask_all()
    assert ann.outbox.take() == [framed(0, b"\x01\x05\x02")]


# Whom a refusal ends


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (one(5, 0, item(5, string("{}"))), 4400),
        (one(5, 0, b"\x04\x01" + string("other") + string("a")), 4400),
        (one(5, 2**31, typed("a")), 4400),
        (update([structs(5, 0, typed("a", after=(6, 0))), structs(6, 0, typed("b", after=(5, 0)))]), 4400),
        (one(5, 0, typed("x" * 2000)), 4413),
    ],
)
def test_a_stock_client_that_would_stay_out_of_step_is_let_go(raw: bytes, code: int) -> None:
    exchange = an_exchange(document_bytes=1000)
    stock, ours = joined(exchange, a_session("stock", ours=False)), joined(exchange, a_session("ours"))
    exchange.receive(stock, framed(2, raw))
    exchange.receive(ours, framed(2, raw))
    assert stock.outbox.closing is not None
    assert stock.outbox.closing.code == code
    assert ours.outbox.closing is None
    assert notice(ours.outbox.take()[0])["kind"] == "refused"
    exchange.receive(ours, framed(2, HI))
    exchange.flush()
    assert text_of(exchange) == "hi"


def test_a_writer_who_was_demoted_hears_of_every_refused_deletion() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    ann.role = Role.VIEWER
    gone = update(removed=[deletes(5, (0, 1))])
    exchange.receive(ann, framed(2, gone))
    assert notice(ann.outbox.take()[0])["limit"] == "role"
    again = joined(exchange, a_session("again", role=Role.VIEWER))
    exchange.receive(again, framed(1, gone))  # the answer to our step 1: equal clocks, another text
    told, ack = again.outbox.take()
    assert (notice(told)["limit"], notice(told)["frame"], ack) == ("role", 1, b"\x71\x01\x00")
    assert text_of(exchange) == "hi"


def test_a_step_1_names_no_more_clients_than_a_document_can_have() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))

    def naming(clients: int) -> bytes:
        return uint(clients) + b"".join(place(2**20 + at, 1) for at in range(clients))

    exchange.receive(ann, framed(0, naming(10_001)))
    assert len(ann.outbox.take()) == 1
    with pytest.raises(Malformed, match="more than this document"):
        exchange.receive(ann, framed(0, naming(10_002)))


def test_a_document_has_so_many_clients_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coscribe.core.bounds._MOST_CLIENTS", 2)
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, update([structs(6, 0, typed("b")), structs(7, 0, typed("c"))])))
    assert notice(ann.outbox.take()[0])["limit"] == "clients"
    exchange.receive(ann, framed(2, one(6, 0, typed("b", after=(5, 1)))))
    exchange.receive(ann, framed(2, one(6, 1, typed("c", after=(6, 0)))))
    exchange.flush()
    assert text_of(exchange) == "hibc"
