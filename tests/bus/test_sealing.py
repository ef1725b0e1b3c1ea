"""Who can write to the bus and has not the secret tells nobody anything (threat 61)."""

from __future__ import annotations

import pytest

from coscribe.bus.sealing import Refused, Seal

NOW_MS = 1_790_000_000_000
SECRET = "a secret that all servers share, and nobody else"


class Clock:
    """A server's clock."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


def a_seal(sender: str = "ann", clock: Clock | None = None, secret: str = SECRET) -> Seal:
    return Seal(secret, sender, clock or Clock())


def reason(seal: Seal, topic: str, message: bytes) -> str:
    with pytest.raises(Refused) as refused:
        seal.open(topic, message)
    return refused.value.reason


def test_what_one_seals_another_opens() -> None:
    ann, ben = a_seal("ann"), a_seal("ben")

    assert ben.open("d.1", ann.put("d.1", b"hi")) == ("ann", b"hi")
    assert ben.open("d.1", ann.put("d.1", b"")) == ("ann", b"")


def test_another_secret_and_another_topic_are_refused() -> None:
    message = a_seal("ann").put("d.1", b"hi")

    assert reason(a_seal("ben", secret=SECRET + "!"), "d.1", message) == "forged"
    assert reason(a_seal("ben"), "d.2", message) == "forged"


def test_every_changed_and_every_cut_message_is_refused() -> None:
    message = a_seal("ann").put("d.1", b"hello")

    for at in range(len(message)):
        changed = bytearray(message)
        changed[at] ^= 1
        assert reason(a_seal("ben"), "d.1", bytes(changed)) == "forged"
        assert reason(a_seal("ben"), "d.1", message[:at]) == "forged"
    assert reason(a_seal("ben"), "d.1", message + b"\0") == "forged"


def test_a_message_counts_once_and_an_older_one_not_at_all() -> None:
    ann, cyd, ben = a_seal("ann"), a_seal("cyd"), a_seal("ben")
    first, second = ann.put("d.1", b"1"), ann.put("d.1", b"2")

    ben.open("d.1", second)

    assert reason(ben, "d.1", second) == "replayed"
    assert reason(ben, "d.1", first) == "replayed"
    assert ben.open("d.1", cyd.put("d.1", b"3")) == ("cyd", b"3")
    assert ben.open("d.1", ann.put("d.1", b"4")) == ("ann", b"4")


def test_what_is_more_than_a_minute_old_or_ahead_is_refused() -> None:
    clock = Clock()
    ben = a_seal("ben")
    for by, word in ((-60_001, "late"), (60_001, "late")):
        clock.now_ms = NOW_MS + by
        assert reason(ben, "d.1", a_seal("ann", clock).put("d.1", b"hi")) == word
    clock.now_ms = NOW_MS - 60_000
    assert ben.open("d.1", a_seal("ann", clock).put("d.1", b"hi")) == ("ann", b"hi")


def test_senders_that_were_heard_long_ago_are_forgotten() -> None:
    ben = a_seal("ben")
    messages = [a_seal(f"server {number}").put("d.1", b"") for number in range(1100)]
    for message in messages:
        ben.open("d.1", message)

    assert reason(ben, "d.1", messages[-1]) == "replayed"
    assert len(ben._heard) == 1024
