"""The scanner: what it tells of an update, and what it refuses before the CRDT engine sees it."""

from __future__ import annotations

import pytest
from tests.support.wire_bytes import deletes, item, one, string, structs, typed, uint, update

from coscribe.core.update import EMPTY_UPDATE, MAX_CLOCK, Scan, Span, encode_state_vector, scan, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused

HELLO = bytes.fromhex("01010500040107636f6e74656e740568656c6c6f00")


def test_a_first_insert() -> None:
    found = scan(HELLO)

    assert found.structs == (Span(5, 0, 5),)
    assert found.deletes == ()
    assert found.needs == {}
    assert (found.inserted_bytes, found.has_cr) == (5, False)


def test_the_empty_update() -> None:
    assert EMPTY_UPDATE == b"\x00\x00"
    assert scan(EMPTY_UPDATE) == Scan((), (), {}, 0, False)


def test_lengths_are_utf16_units_and_sizes_utf8_bytes() -> None:
    found = scan(one(5, 7, typed("aé😀\u0301", after=(5, 6))))

    assert found.structs == (Span(5, 7, 12),)
    assert found.inserted_bytes == 1 + 2 + 4 + 2


def test_the_highest_origin_of_each_client_is_needed() -> None:
    found = scan(one(5, 9, typed("a", after=(6, 3), before=(7, 8)), typed("b", after=(6, 2), before=(5, 4))))

    assert found.needs == {6: 3, 7: 8, 5: 4}


def test_a_skip_parts_the_spans_of_a_client() -> None:
    found = scan(one(5, 0, b"\x0a\x02", typed("ab"), b"\x0a\x03", b"\x00\x04", b"\x0a\x01"))

    assert found.structs == (Span(5, 2, 4), Span(5, 7, 11))


def test_deletions() -> None:
    found = scan(update(removed=[deletes(5, (0, 2), (9, 1)), deletes(2**32, (3, 4))]))

    assert found.deletes == (Span(5, 0, 2), Span(5, 9, 10), Span(2**32, 3, 7))


def test_deleted_content_and_formats_have_their_lengths() -> None:
    bold = string("bold") + string("true")
    found = scan(one(5, 0, item(1, b"\x05"), item(6, bold, after=(5, 4)), typed("a", after=(5, 5))))

    assert found.structs == (Span(5, 0, 7),)


@pytest.mark.parametrize("text", ["a\rb", "\r\n", "é\r"])
def test_carriage_returns_are_told(text: str) -> None:
    assert scan(one(5, 0, typed(text))).has_cr


@pytest.mark.parametrize("kind", [2, 3, 5, 7, 8, 9])
def test_content_that_is_no_text_is_refused_with_its_name(kind: int) -> None:
    with pytest.raises(UpdateRefused, match="is not part of a text document") as refused:
        scan(one(5, 0, item(kind, b"\x01\x00\x00\x00")))
    assert refused.value.limit == "content"


@pytest.mark.parametrize("kind", [0, 10, 11, 20, 31])
def test_content_of_an_unknown_kind_is_no_update(kind: int) -> None:
    with pytest.raises(Malformed, match="unknown"):
        scan(one(5, 0, bytes((0x80 | kind,)) + b"\x06\x00" + b"\x01a"))


def test_a_bomb_of_nested_values_is_refused_at_its_first_byte() -> None:
    # 26,000 arrays in one another, each with one element: in the engine this overflows the stack and ends the process.
    bomb = one(5, 0, item(8, b"\x01" + b"\x75\x01" * 26_000 + b"\x7e"))
    assert len(bomb) > 52_000
    with pytest.raises(UpdateRefused, match="Any"):
        scan(bomb)


@pytest.mark.parametrize("name", ["text", "", "Content", "content\x00"])
def test_another_root_is_refused(name: str) -> None:
    with pytest.raises(UpdateRefused, match="shared type") as refused:
        scan(one(5, 0, b"\x04\x01" + string(name) + string("a")))
    assert refused.value.limit == "root"


def test_a_root_can_be_named() -> None:
    assert scan(one(5, 0, b"\x04\x01" + string("text") + string("a")), root="text").structs == (Span(5, 0, 1),)


def test_nested_types_and_map_entries_are_refused() -> None:
    with pytest.raises(UpdateRefused, match="Nested types"):
        scan(one(5, 1, b"\x04\x00\x05\x00" + string("a")))
    with pytest.raises(UpdateRefused, match="Map entries"):
        scan(one(5, 0, b"\x24\x01\x07content\x01k" + string("a")))
    with pytest.raises(UpdateRefused, match="Map entries"):
        scan(one(5, 1, b"\xa4\x05\x00" + string("a")))


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xff\x7f" + bytes(8),  # clients
        b"\x01\xff\xff\x7f\x05\x00" + bytes(8),  # structs
        b"\x00\xff\xff\x7f" + bytes(8),  # clients of the delete set
        b"\x00\x01\x05\xff\xff\x7f" + bytes(8),  # ranges
    ],
)
def test_counts_beyond_the_bytes_are_lies(raw: bytes) -> None:
    with pytest.raises(Malformed, match="announced"):
        scan(raw)


@pytest.mark.parametrize("cut", range(len(HELLO)))
def test_nothing_may_be_missing(cut: int) -> None:
    with pytest.raises(Malformed):
        scan(HELLO[:cut])


def test_nothing_may_stand_behind() -> None:
    with pytest.raises(Malformed, match="behind"):
        scan(HELLO + b"\x00")


@pytest.mark.parametrize(
    "raw",
    [
        one(5, MAX_CLOCK - 1, typed("a", after=(5, 0))),
        one(5, 0, b"\x00" + uint(MAX_CLOCK)),
        one(5, 0, b"\x0a" + uint(MAX_CLOCK), typed("a")),
        one(5, 0, item(1, uint(2**40))),
        one(5, 0, typed("a", after=(6, MAX_CLOCK))),
        one(5, 0, typed("a", before=(6, MAX_CLOCK))),
        update(removed=[deletes(5, (MAX_CLOCK, 1))]),
        update(removed=[deletes(5, (1, MAX_CLOCK))]),
    ],
)
def test_clocks_end_at_2_to_the_31(raw: bytes) -> None:
    with pytest.raises(UpdateRefused) as refused:
        scan(raw)
    assert refused.value.limit == "clock"


@pytest.mark.parametrize(
    "raw",
    [
        one(2**53, 0, typed("a")),
        one(5, 0, typed("a", after=(2**53, 0))),
        update(removed=[deletes(2**53, (0, 1))]),
    ],
)
def test_client_ids_have_53_bits(raw: bytes) -> None:
    with pytest.raises(UpdateRefused) as refused:
        scan(raw)
    assert refused.value.limit == "client"
    assert scan(one(2**53 - 1, 0, typed("a"))).structs == (Span(2**53 - 1, 0, 1),)


def test_a_client_stands_once() -> None:
    with pytest.raises(Malformed, match="twice"):
        scan(update([structs(5, 0, typed("a")), structs(5, 1, typed("b", after=(5, 0)))]))


@pytest.mark.parametrize(
    "raw",
    [
        one(5, 0, typed("")),
        one(5, 0, b"\x00\x00"),
        one(5, 0, b"\x0a\x00"),
        one(5, 0, item(1, b"\x00")),
        update(removed=[deletes(5, (0, 0))]),
    ],
)
def test_nothing_has_no_length(raw: bytes) -> None:
    with pytest.raises(Malformed, match="no length"):
        scan(raw)


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"ab\xc3"])
def test_text_is_utf8_without_lone_surrogates(raw: bytes) -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        scan(one(5, 0, item(4, string(raw))))


@pytest.mark.parametrize(
    "raw",
    [
        one(5, 3, typed("a", after=(5, 3))),
        one(5, 3, typed("a", after=(5, 2)), typed("b", after=(5, 9))),
        one(5, 3, typed("a", before=(5, 3))),
    ],
)
def test_a_struct_cannot_name_itself_or_a_later_one(raw: bytes) -> None:
    # The engine would wait for ever, while the clock that the gate keeps has moved on.
    with pytest.raises(Malformed, match="itself or a later one"):
        scan(raw)


def a_format(raw: bytes) -> bytes:
    return one(5, 0, item(6, string("k") + string(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"true",
        b"-0",
        b'"\xc3\xa9"',
        b"1e308",
        b'{"a":[1,{}]}',
        b" 1 ",
        b'"\\ud83d\\ude00"',
        b"[" * 32 + b"]" * 32,
    ],
)
def test_small_json_is_taken(raw: bytes) -> None:
    assert scan(a_format(raw)).structs == (Span(5, 0, 1),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"undefined",
        b"{",
        b"[1,]",
        b"01",
        b"NaN",
        b"-Infinity",
        b"1e999",  # infinity to Python, an error to the engine
        b'"\\ud800"',  # half a pair
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",  # a byte order mark
        '"a"'.encode("utf-16-le"),
        b'"a\x00"',
        b"[" * 2000 + b"]" * 2000,
    ],
)
def test_json_that_a_peer_could_not_read_is_none(raw: bytes) -> None:
    with pytest.raises(Malformed, match="no JSON"):
        scan(a_format(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 33 + b"]" * 33,
        b'["' + b"]" * 100 + b'",' + b"[" * 40 + b"]" * 40 + b"]",  # brackets in a string close nothing
        b'"' + b"a" * 4095 + b'"',
    ],
)
def test_json_is_small_and_flat(raw: bytes) -> None:
    with pytest.raises(UpdateRefused) as refused:
        scan(a_format(raw))
    assert refused.value.limit == "content"


def test_a_formatting_key_is_short_utf8() -> None:
    with pytest.raises(UpdateRefused, match="key is too long"):
        scan(one(5, 0, item(6, string("k" * 4097) + string("1"))))
    with pytest.raises(Malformed):
        scan(one(5, 0, item(6, string(b"\xff") + string("1"))))


def test_a_state_vector() -> None:
    assert scan_state_vector(b"\x00") == {}
    assert scan_state_vector(b"\x02\x05\x07\xac\x02\x00") == {5: 7, 300: 0}
    assert encode_state_vector({5: 7, 300: 0}) == b"\x02\x05\x07\xac\x02\x00"


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x05", b"\xff\xff\x7f\x00", b"\x00\x00", b"\x01\x05\x07\x00"])
def test_bytes_that_are_no_state_vector(raw: bytes) -> None:
    with pytest.raises(Malformed):
        scan_state_vector(raw)


def test_a_state_vector_has_bounded_numbers() -> None:
    with pytest.raises(UpdateRefused):
        scan_state_vector(b"\x01\x05" + uint(MAX_CLOCK))
    with pytest.raises(UpdateRefused):
        scan_state_vector(b"\x01" + uint(2**53) + b"\x01")
