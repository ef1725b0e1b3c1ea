"""The quick way to read frames tells the same messages as the careful one, and takes nothing that it would refuse."""

from __future__ import annotations

import random

import pytest
from tests.support import raw_socket
from tests.support.rfc6455 import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

from coscribe.api.frames import (
    MOST_REASON_BYTES,
    Broken,
    Frame,
    Unfinished,
    check_close,
    close_frame,
    frame,
    payload_of,
    read_head,
    short_messages,
)

MOST = 2**20
LENGTHS = (0, 1, 2, 3, 5, 124, 125, 126, 127, 128, 200, 255, 256, 65_534, 65_535, 65_536, 70_000)
SHORT = LENGTHS[:-4]


def sent(rng: random.Random, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame with a mask that changes something."""
    mask = rng.randbytes(4)
    head = raw_socket.header(opcode, len(payload), fin=fin, rsv=rsv)[:-4]
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def piece(rng: random.Random, lengths: tuple[int, ...] = SHORT) -> bytes:
    """A frame, mostly a whole binary message."""
    payload = rng.randbytes(rng.choice(lengths))
    if rng.random() < 0.6:
        return sent(rng, BINARY, payload)
    size = min(len(payload), 125)
    return rng.choice(
        [
            sent(rng, rng.choice((PING, PONG, CLOSE)), payload[:125]),
            sent(rng, BINARY, payload, fin=False),
            sent(rng, CONTINUATION, payload, fin=rng.random() < 0.5),
            sent(rng, TEXT, payload),
            raw_socket.frame(BINARY, payload, masked=False),
            sent(rng, BINARY, payload, rsv=rng.randrange(1, 8)),
            sent(rng, rng.randrange(16), payload),
            # lengths in more bytes than they need
            bytes((0x82, 0xFE)) + size.to_bytes(2, "big") + bytes(4) + payload[:size],
            bytes((0x82, 0xFF)) + len(payload).to_bytes(8, "big") + bytes(4) + payload,
        ]
    )


def carefully(data: bytes, pos: int, most: int) -> tuple[list[bytes], int]:
    """As `short_messages`, by the head of each frame; long ones and others end it."""
    messages: list[bytes] = []
    while len(messages) < most:
        try:
            head = read_head(data, pos, MOST)
        except Broken:
            break
        if head is None or head.end > len(data) or head.opcode != BINARY or not head.is_final:
            break
        messages.append(payload_of(data, head))
        pos = head.end
    return messages, pos


def assert_alike(data: bytes, pos: int, most: int) -> tuple[list[bytes], int]:
    """What the quick way tells is what the careful one tells first, to the same place."""
    messages, end = short_messages(data, pos, most)
    expected, _ = carefully(data, pos, len(messages))
    assert messages == expected
    assert end == carefully(data, pos, len(messages))[1]
    assert pos <= end <= len(data)
    return messages, end


@pytest.mark.parametrize("length", LENGTHS)
def test_a_message_of_each_length(length: int) -> None:
    rng = random.Random(length)
    payload = rng.randbytes(length)
    data = sent(rng, BINARY, payload)

    messages, end = short_messages(data, 0, 10)

    if length < 2**16 and len(data) >= 8:
        assert (messages, end) == ([payload], len(data))
    else:  # left to the careful way: what is long, and what is too short to be looked at without care
        assert (messages, end) == ([], 0)


@pytest.mark.parametrize("seed", range(300))
def test_a_stream_is_read_alike(seed: int) -> None:
    rng = random.Random(seed)
    data = b"".join(piece(rng) for _ in range(rng.randrange(1, 20)))
    pos = 0
    while pos < len(data):
        messages, end = assert_alike(data, pos, rng.choice((0, 1, 2, 3, 100)))
        if not messages:
            try:
                head = read_head(data, pos, MOST)
            except Broken:
                break
            if head is None or head.end > len(data):
                break
            end = head.end
        pos = end


def test_a_stream_that_is_cut_at_every_byte_is_read_alike() -> None:
    rng = random.Random(20261128)
    data = b"".join(sent(rng, BINARY, rng.randbytes(length)) for length in (0, 3, 125, 126, 127, 0, 256, 1))
    whole, _ = carefully(data, 0, 100)
    assert len(whole) == 8
    for cut in range(len(data) + 1):
        messages, end = assert_alike(data[:cut], 0, 100)
        assert messages == whole[: len(messages)]
        # Of what is whole, only a last frame of less than two bytes may be left.
        assert len(carefully(data[:cut], end, 100)[0]) <= 1


def test_a_long_stream_that_is_cut_near_its_ends_is_read_alike() -> None:
    rng = random.Random(4)
    data = b"".join(sent(rng, BINARY, rng.randbytes(length)) for length in (65_535, 1, 65_536, 1))
    starts = [0, 8 + 65_535, 8 + 65_535 + 7, 8 + 65_535 + 7 + 14 + 65_536]
    for start in starts:
        for cut in range(max(0, start - 15), min(len(data), start + 20)):
            assert_alike(data[:cut], 0, 100)
    assert len(short_messages(data, 0, 100)[0]) == 2
    assert short_messages(data, starts[2], 100) == ([], starts[2])


@pytest.mark.parametrize("seed", range(200))
def test_noise_is_read_alike(seed: int) -> None:
    rng = random.Random(seed)
    noise = rng.randbytes(rng.randrange(40))
    start = sent(rng, BINARY, b"whole") + bytes((0x82, rng.randrange(256)))
    assert_alike(start + noise, 0, 100)
    assert_alike(noise, 0, 100)


@pytest.mark.parametrize("first", range(256))
def test_no_first_two_bytes_are_taken_that_the_careful_way_refuses(first: int) -> None:
    for second in range(256):
        assert_alike(bytes((first, second)) + bytes(300), 0, 1)


def test_a_head_is_none_until_it_is_whole() -> None:
    for length, size in ((125, 6), (126, 8), (65_536, 14)):
        head = raw_socket.header(BINARY, length)
        assert len(head) == size
        # The mask is no part of what has to be there: a frame's end lies behind it in any case.
        assert all(read_head(head[:cut], 0, MOST) is None for cut in range(size - 4))
        found = read_head(head, 0, MOST)
        assert found is not None
        assert (found.start, found.end) == (size, size + length)


def test_what_is_too_long_is_refused_by_its_head() -> None:
    assert read_head(raw_socket.header(BINARY, 100), 0, 100) is not None
    for length in (101, 2**16, 2**62, 2**64 - 1):
        with pytest.raises(Broken) as broken:
            read_head(raw_socket.header(BINARY, length), 0, 100)
        assert broken.value.code == 1009


@pytest.mark.parametrize("length", LENGTHS)
def test_what_the_server_sends_has_the_shortest_head(length: int) -> None:
    data = frame(BINARY, bytes(length))
    assert data == raw_socket.frame(BINARY, bytes(length), masked=False)


# Messages in pieces


def test_pieces_make_one_message_of_their_first_kind() -> None:
    for kind in (BINARY, TEXT):
        unfinished = Unfinished(0.0)
        assert not unfinished.is_fragmented
        assert unfinished.take(Frame(kind, b"a", is_final=False)) is None
        assert unfinished.is_fragmented
        assert unfinished.take(Frame(CONTINUATION, b"", is_final=False)) is None
        assert unfinished.take(Frame(CONTINUATION, b"bc", is_final=False)) is None
        assert unfinished.size == 3
        assert unfinished.take(Frame(CONTINUATION, b"d", is_final=True)) == Frame(kind, b"abcd", is_final=True)
        assert (unfinished.size, unfinished.is_fragmented) == (0, False)
        assert unfinished.take(Frame(BINARY, b"next", is_final=True)) == Frame(BINARY, b"next", is_final=True)


def test_empty_pieces_are_a_message_too() -> None:
    unfinished = Unfinished(0.0)
    assert unfinished.take(Frame(BINARY, b"", is_final=False)) is None
    assert unfinished.is_fragmented
    assert unfinished.take(Frame(CONTINUATION, b"", is_final=True)) == Frame(BINARY, b"", is_final=True)


@pytest.mark.parametrize("kind", [BINARY, TEXT])
def test_pieces_out_of_order_are_refused(kind: int) -> None:
    with pytest.raises(Broken):
        Unfinished(0.0).take(Frame(CONTINUATION, b"x", is_final=True))
    unfinished = Unfinished(0.0)
    unfinished.take(Frame(BINARY, b"x", is_final=False))
    with pytest.raises(Broken) as broken:
        unfinished.take(Frame(kind, b"y", is_final=True))
    assert broken.value.code == 1002


def test_the_rest_is_taken_once() -> None:
    unfinished = Unfinished(0.0)
    unfinished.rest += b"rest"
    assert unfinished.take_rest() == b"rest"
    assert unfinished.take_rest() == b""


# Closes


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4409, 4999])
def test_a_close_with_a_code_is_understood(code: int) -> None:
    check_close(code.to_bytes(2, "big"))
    check_close(code.to_bytes(2, "big") + "tschüß".encode())
    check_close(b"")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535])
def test_a_close_without_a_valid_code_is_refused(code: int) -> None:
    for payload in (code.to_bytes(2, "big"), b"\x03"):
        with pytest.raises(Broken) as broken:
            check_close(payload)
        assert broken.value.code == 1002


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", "ü".encode()[:1]])
def test_a_reason_that_is_no_utf_8_is_refused(reason: bytes) -> None:
    with pytest.raises(Broken) as broken:
        check_close(b"\x03\xe8" + reason)
    assert broken.value.code == 1007


@pytest.mark.parametrize("character", ["x", "ü", "日", "😀"])
@pytest.mark.parametrize("before", range(4))
def test_a_long_reason_is_cut_between_characters(character: str, before: int) -> None:
    reason = "a" * before + character * 200
    data = close_frame(4400, reason)
    payload = data[2:]
    assert (data[0], data[1]) == (0x80 | CLOSE, len(payload))
    check_close(payload)
    told = payload[2:].decode()
    assert reason.startswith(told)
    assert MOST_REASON_BYTES - len(character.encode()) < len(told.encode()) <= MOST_REASON_BYTES
