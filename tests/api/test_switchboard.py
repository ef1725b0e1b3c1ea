"""Dialect 2 frame by frame: one socket, several documents (docs/protocol.md, H1 to H5)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from starlette.requests import HTTPConnection
from tests.support.documents import new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.wire_bytes import deletes, one, typed, update
from websockets.asyncio.client import ClientConnection, connect

from coscribe.api import switchboard
from coscribe.api.pace import Pace
from coscribe.api.switchboard import Switchboard
from coscribe.api.trunk import Trunk
from coscribe.api.wiring import Wiring
from coscribe.core import hocuspocus
from coscribe.core.lib0 import read_bytes, write_bytes, write_string
from coscribe.core.update import encode_state_vector

LETTER = b"\x00\x02" + write_bytes(one(5, 0, typed("a")))
QUESTION, NOTHING = b"\x00\x00\x01\x00", b"\x00\x01\x02\x00\x00"
APPLIED = b"\x08\x01"
TOKEN = b"\x02\x00\x00"


class Raw:
    """A socket whose frames are written by hand."""

    def __init__(self, socket: ClientConnection, address: str) -> None:
        self.socket = socket
        self.prefix = write_string(address)

    async def send(self, message: bytes) -> None:
        await self.socket.send(self.prefix + message)

    async def login(self, token: str = "") -> bytes:
        await self.send(b"\x02\x00" + write_string(token) + write_string("4.8.0"))
        return await self.hear()

    async def begin(self, state_vector: bytes = b"\x00") -> None:
        """Come in and ask, as a provider does, and hear the question and the answer."""
        await self.login()
        await self.send(b"\x00\x00" + write_bytes(state_vector))
        assert (await self.hear())[:2] == b"\x00\x00"
        assert (await self.hear())[:2] == b"\x00\x01"

    async def hear(self) -> bytes:
        frame = await self.socket.recv()
        assert isinstance(frame, bytes)
        address, at = read_bytes(frame, 0)
        assert write_bytes(address) == self.prefix
        return frame[at:]


def opened(server: CoscribeServer) -> connect:
    return connect(f"{server.url.replace('http', 'ws', 1)}/hocuspocus", compression=None, proxy=None)


async def test_what_comes_before_the_token_waits_for_it_and_goes_to_the_same_address(server: CoscribeServer) -> None:
    document_id = new_document(server, "hi")
    async with opened(server) as socket:
        raw = Raw(socket, f"{document_id}\0abc")
        await raw.send(b"\x00\x00\x01\x00")
        assert await raw.login() == b"\x02\x02" + write_string("read-write")
        assert (await raw.hear())[:2] == b"\x00\x00"
        assert (await raw.hear())[:2] == b"\x00\x01"


async def test_exactly_one_word_follows_each_update(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with opened(server) as socket:
        raw = Raw(socket, document_id)
        await raw.begin()
        await raw.send(NOTHING)  # the answer to the question
        assert await raw.hear() == APPLIED
        for message in (LETTER, LETTER, b"\x00\x02\x02\x00\x00"):
            await raw.send(message)
        assert [await raw.hear() for _ in range(3)] == [APPLIED] * 3
        await raw.send(b"\x03")
        assert (await raw.hear())[0] in (1, 8)


async def test_h2_no_word_follows_what_was_typed_before_the_question(server: CoscribeServer) -> None:
    """Providers send what they kept once they hear something, and have begun to count anew by then."""
    document_id = new_document(server)
    async with opened(server) as socket:
        raw = Raw(socket, document_id)
        await raw.send(LETTER)  # before the token
        await raw.begin(encode_state_vector({5: 2}))
        await raw.send(b"\x00\x02" + write_bytes(one(5, 1, typed("b", after=(5, 0)))))
        await raw.send(b"\x00\x02" + write_bytes(update(removed=[deletes(5, (0, 1))])))
        await raw.send(b"\x00\x02" + write_bytes(one(7, 0, typed("c"))))  # newer than the question
        await raw.send(b"\x00\x01" + write_bytes(one(8, 0, typed("d"))))  # the answer
        assert [await raw.hear() for _ in range(2)] == [APPLIED] * 2
        await raw.send(b"\x03")
        assert (await raw.hear())[0] == 1
    assert sorted(text_of(server, document_id)) == ["b", "c", "d"]


async def test_a_question_of_the_clients_brings_one_of_ours_in_front_of_the_answer(server: CoscribeServer) -> None:
    document_id = new_document(server, "hi")
    async with opened(server) as socket:
        raw = Raw(socket, document_id)
        await raw.login()
        assert (await raw.hear())[:2] == b"\x00\x00"
        await raw.send(b"\x00\x00\x01\x00")
        assert (await raw.hear())[:2] == b"\x00\x01"
        await raw.send(b"\x00\x00\x01\x00")  # as forceSync does
        assert [(await raw.hear())[:2] for _ in range(2)] == [b"\x00\x00", b"\x00\x01"]


async def test_a_ping_is_answered(server: CoscribeServer) -> None:
    async with opened(server) as socket:
        await socket.send(b"\x09")
        assert await socket.recv() == b"\x0a"


@pytest.mark.parametrize("frame", [b"", b"\xff", b"\x05abc", write_string("x" * 300) + b"\x00"])
async def test_bytes_that_are_no_frame_end_the_socket(server: CoscribeServer, frame: bytes) -> None:
    async with opened(server) as socket:
        await socket.send(frame)
        await socket.wait_closed()
        assert socket.close_code == 4400


async def test_a_flood_before_the_token_ends_the_socket(server: CoscribeServer) -> None:
    async with opened(server) as socket:
        raw = Raw(socket, "A" * 22)
        await raw.send(b"\x00\x02" + write_bytes(b"x" * 70_000))
        await socket.wait_closed()
        assert socket.close_code == 1013


async def test_an_unknown_document_and_a_wrong_token_are_denied_and_the_socket_stays(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with opened(server) as socket:
        assert (await Raw(socket, "B" * 22).login()).startswith(b"\x02\x01")
        assert (await Raw(socket, document_id).login("wrong")).startswith(b"\x02\x01")
        again = Raw(socket, document_id)
        assert (await again.login()).startswith(b"\x02\x02")


async def test_h1_who_finds_no_place_comes_back(tmp_path: Path) -> None:
    """A denial would be for good: a provider does not ask again while its socket stands."""
    with CoscribeServer(tmp_path, max_sessions_per_document=1) as server:
        document_id = await asyncio.to_thread(new_document, server)
        async with opened(server) as first, opened(server) as second:
            await Raw(first, document_id).begin()
            await Raw(second, document_id).send(TOKEN)
            await second.wait_closed()
            assert (second.close_code, second.close_reason) == (1013, "Too many people are connected to this document.")


async def test_h4_what_comes_for_a_document_that_is_over_is_meant_for_nobody(server: CoscribeServer) -> None:
    document_id, other = new_document(server), new_document(server)
    async with opened(server) as socket:
        over, open_ = Raw(socket, document_id), Raw(socket, other)
        await over.begin()
        await over.send(b"\x00\x02" + write_bytes(one(5, 0, bytes((4, 1, 5)) + b"other" + b"\x01a")))  # another root
        assert [(await over.hear())[0] for _ in range(2)] == [8, 7]
        await over.send(b"\x00\x02" + write_bytes(b"x" * 70_000))
        await open_.begin()
        await open_.send(LETTER)
        assert await open_.hear() == APPLIED
        await over.send(TOKEN)
        assert await over.hear() == b"\x02\x02" + write_string("read-write")


async def test_h1_messages_before_the_token_are_few(server: CoscribeServer) -> None:
    async with opened(server) as socket:
        raw = Raw(socket, "A" * 22)
        for _ in range(700):
            await raw.send(b"\x03")
        await socket.wait_closed()
        assert socket.close_code == 1013


async def test_p15_all_that_a_principal_sends_counts_together(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_messages_per_principal_per_s=20) as server:
        token = await asyncio.to_thread(server.token, "t")
        document_id = await asyncio.to_thread(new_document, server)
        async with opened(server) as one_socket, opened(server) as other:
            raws = [Raw(one_socket, document_id), Raw(other, document_id)]
            for raw in raws:
                await raw.send(b"\x02\x00" + write_string(token))
                await raw.send(QUESTION)
                assert (await raw.hear())[:2] == b"\x02\x02"
            began = asyncio.get_running_loop().time()
            for number in range(80):
                for client, raw in enumerate(raws, start=5):
                    await raw.send(b"\x00\x02" + write_bytes(one(client, number, typed("a"))))
            async with Typist(socket_url(server, document_id)) as reader:
                await reader.wait(lambda: len(str(reader.text)) == 160)
            # 100 at once, then 20 each second: 160 letters and two comings take three seconds at least.
            assert asyncio.get_running_loop().time() - began > 2.5


async def test_p18_letters_that_come_at_once_come_back_one_by_one(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with connect(f"{socket_url(server, document_id)}?echo=1", compression=None, proxy=None) as socket:
        letters = [b"\x00\x02" + write_bytes(one(5, number, typed("a"))) for number in range(20)]
        for letter in letters:
            await socket.send(letter)
        heard: list[bytes] = []
        while len(heard) < len(letters):
            frame = await socket.recv()
            assert isinstance(frame, bytes)
            heard += [frame] if frame[:2] == b"\x00\x02" else []
        assert heard == letters


async def test_p15_coming_in_counts_as_ten_letters(tmp_path: Path) -> None:
    """One socket that came and went held the letters of two others up for 50 ms."""
    with CoscribeServer(tmp_path, max_messages_per_s=50) as server:
        document_id = await asyncio.to_thread(new_document, server)
        async with opened(server) as socket:
            raw = Raw(socket, document_id)
            began = asyncio.get_running_loop().time()
            for _ in range(40):
                await raw.send(TOKEN)
                while (await raw.hear())[:1] != b"\x02":
                    pass
                await raw.send(b"\x07")
            # 250 at once, then 50 each second: 40 comings and goings are 440.
            assert asyncio.get_running_loop().time() - began > 3


async def test_h1_a_socket_without_a_document_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "_EMPTY_S", 0.01)
    ended = asyncio.Event()
    board = Switchboard(cast(Wiring, None), cast(HTTPConnection, None), cast(Pace, None))
    board.outbox.wake = ended.set
    async with asyncio.timeout(20):
        await ended.wait()
    assert board.outbox.closing is not None
    assert board.outbox.closing.code == 1013


def test_who_reads_nothing_of_what_is_said_beside_the_documents_is_let_go() -> None:
    trunk = Trunk({}, lambda _: None)
    for _ in range(1_000):
        trunk.answer_ping()
    assert trunk.take() == [hocuspocus.PONG]
    for _ in range(100):
        trunk.say(b"x" * 1_000)
    assert trunk.closing is not None
    assert trunk.closing.code == 1013
