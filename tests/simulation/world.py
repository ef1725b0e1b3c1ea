"""The whole core in one thread under one seed: people, lines, servers, their log, their clocks and their readers.

Lines of our own clients are what WebSockets are: in order until they break, and a broken one may go on delivering
for a while. Those of stock clients lose, repeat and swap messages. A server crashes with whatever it holds; the
log keeps what was committed, whether the answer to the commit came or not. Of several servers each reads there what
the others have stored, sooner or later.
"""

from __future__ import annotations

import random
from collections import deque

from tests.simulation.clients import DOUBT, NOISE, Client, Line
from tests.simulation.log import MemoryLog
from tests.simulation.server import Server
from tests.simulation.viewers import Viewer
from tests.simulation.words import Words
from tests.support.people import HELLO, a_session

from coscribe.core.replica import EngineFailed, Replica
from coscribe.errors import Malformed
from coscribe.model import Principal, PrincipalKind, Role

STEPS = 150
# Small enough that a line that lags turns its session stale now and then.
OUTBOX_BYTES = 400
# A handshake takes three; what asks again and again never ends.
MOST_ROUNDS = 50


class World:
    """One seed's life. `lived` counts what happened in it."""

    def __init__(self, seed: int, servers: int = 1) -> None:
        self.rng = random.Random(seed)
        self.noise = NOISE + (["\r\n", "\r"] if seed % 4 == 0 else [])
        self.has_forks = seed % 3 == 0
        self.words = Words()
        self.log = MemoryLog()
        self.servers = [Server(self.rng, self.words, self.log, is_alone=servers == 1) for _ in range(servers)]
        self.clients = [self._a_client(index) for index in range(self.rng.randrange(2, 7))]
        self.viewers = [Viewer(self.log), Viewer(self.log)]
        self.ghosts: list[Line] = []
        self.lived: dict[str, int] = dict.fromkeys(
            ("stale", "crashes", "refusals", "lost answers", "faults", "forks", "apart", "rewritten", "opened again"), 0
        )
        self._lines = 0

    def _a_client(self, index: int) -> Client:
        principal = Principal(f"p{index}", PrincipalKind.GUEST, f"P{index}", 0)
        return Client(principal, self.words, self.rng, is_ours=index % 3 != 2)

    async def run(self) -> None:
        """Live through all steps, then let everything arrive."""
        for server in self.servers:
            await server.start()
        actions = {
            self.type: 30, self.delete: 5, self.up: 30, self.down: 14, self.turn: 20, self.commit: 8, self.line: 4,
            self.read: 3, self.rest: 2, self.ghost: 2, self.demote: 1, self.crash: 1, self.snapshot: 1,
            self.ask: 1, self.perish: 2, self.clone: 1 if self.has_forks else 0,
            self.follow: 12 if len(self.servers) > 1 else 0,
        }  # fmt: skip
        for action in self.rng.choices(list(actions), list(actions.values()), k=STEPS):
            await action()
        await self.settle()
        self.lived["lost answers"] = sum(server.lost_answers for server in self.servers)
        self.lived["apart"] = sum(server.apart for server in self.servers)
        self.lived["rewritten"] = sum(server.rewritten for server in self.servers)

    def server(self) -> Server:
        return self.servers[0] if len(self.servers) == 1 else self.rng.choice(self.servers)

    # The server

    async def crash(self) -> None:
        """All lines and streams of a server end."""
        self.lived["crashes"] += 1
        server = self.server()
        await self._end_lines(server)
        await server.crash()

    async def _end_lines(self, server: Server) -> None:
        for client in self.clients:
            if client.line is not None and client.line.server is server:
                await self._break(client)
        for viewer in self.viewers:
            viewer.cut()
        self.ghosts = [line for line in self.ghosts if line.server is not server]

    async def turn(self) -> None:
        self.server().exchange.flush()

    async def commit(self) -> None:
        server = self.server()
        await server.commit()
        await server.compare()

    async def follow(self) -> None:
        await self._follow(self.server(), self.rng.randrange(1, 8))

    async def _follow(self, server: Server, most: int) -> None:
        """Let a server follow the log; it opens the document again where it cannot."""
        try:
            await server.follow(most)
        except EngineFailed:
            if not self.has_forks:
                raise
            self.lived["opened again"] += 1
            await self._end_lines(server)
            await server.start()

    async def snapshot(self) -> None:
        await self.server().snapshot()

    async def rest(self) -> None:
        await self.server().write(self.noise[: len(NOISE)])

    async def ask(self) -> None:
        """What the room does once a minute, and when it is quiet."""
        exchange = self.server().exchange
        exchange.ask_all()
        exchange.tell_digest()

    # Lines and people

    def client(self) -> Client:
        return self.rng.choice(self.clients)

    async def type(self) -> None:
        self.client().type(self.noise)

    async def delete(self) -> None:
        self.client().delete()

    async def up(self) -> None:
        """Some of what a client sent arrives."""
        client = self.client()
        line = client.line
        for _ in range(self.rng.randrange(1, 6)):
            if line is not None and line.up:
                self._receive(line, self._fate(line.up, client))

    def _receive(self, line: Line, frames: list[bytes]) -> None:
        for frame in frames:
            if line.session.outbox.closing is not None:
                return
            try:
                line.server.exchange.receive(line.session, frame)
            except Malformed as error:
                if not self.has_forks:
                    raise
                # Two histories under one client id can leave a copy that no update can be made of.
                line.session.outbox.close(4400, str(error))

    def _fate(self, way: deque[bytes], client: Client) -> list[bytes]:
        """The next frame on a line, and what a bad line makes of it."""
        frame = way.popleft()
        if client.is_ours or self.rng.random() < 0.9:
            return [frame]
        self.lived["faults"] += 1
        match self.rng.randrange(3):
            case 0:
                return []
            case 1:
                return [frame, frame]
            case _:
                return [way.popleft(), frame] if way else [frame]

    async def down(self) -> None:
        """A client's line takes what it is owed, and the client hears some of it."""
        client = self.client()
        self._pull(client)
        await self._hear(client, self.rng.randrange(1, 8))

    def _pull(self, client: Client) -> None:
        line = client.line
        if line is None:
            return
        line.down.extend(line.session.outbox.take())
        if line.session.outbox.is_stale:
            self.lived["stale"] += 1
            line.server.exchange.drained(line.session)
            line.down.extend(line.session.outbox.take())

    async def _hear(self, client: Client, most: int) -> None:
        line = client.line
        if line is None:
            return
        while line.down and most:
            most -= 1
            for frame in self._fate(line.down, client):
                self._tell(client, frame)
        closing = line.session.outbox.closing
        if client.refusals:
            await self._refused(client)
        elif closing is not None and not line.down:
            await self._break(client)
            if closing.code in (4400, 4409):
                client.begin_anew()

    async def _refused(self, client: Client) -> None:
        """What was refused stays in the author's own copy; the document is opened anew."""
        self.lived["refusals"] += len(client.refusals)
        client.refusals.clear()
        if client.line is not None and DOUBT in client.line.up and client.is_ours:
            self._receive(client.line, list(client.line.up))
        await self._break(client)
        client.begin_anew()

    async def line(self) -> None:
        """A line breaks, with all that is on it, or a client comes back."""
        client = self.client()
        if client.line is None:
            self._connect(client)
        else:
            await self._break(client)

    async def _break(self, client: Client) -> None:
        line, client.line = client.line, None
        if line is None:
            return
        if self.rng.random() < 0.3:
            self.ghosts.append(line)  # the server has not noticed, and frames are still on their way to it
        else:
            line.server.exchange.leave(line.session)

    async def ghost(self) -> None:
        """A line that its client gave up delivers late, and dies."""
        if not self.ghosts:
            return
        line = self.ghosts.pop(self.rng.randrange(len(self.ghosts)))
        self._receive(line, [line.up.popleft() for _ in range(self.rng.randrange(len(line.up) + 1))])
        line.server.exchange.leave(line.session)

    def _connect(self, client: Client) -> None:
        self._lines += 1
        session = a_session(f"s{self._lines}", client.principal, ours=False, limit=OUTBOX_BYTES)
        client.line = Line(session, self.server())
        client.line.server.exchange.join(session)
        if client.is_ours:
            client.line.up.append(HELLO)
        client.ask()

    async def demote(self) -> None:
        """An editor becomes a viewer, or is an editor again."""
        client = self.client()
        if client.line is not None and client.is_ours:
            session = client.line.session
            session.role = Role.VIEWER if session.role is Role.EDITOR else Role.EDITOR
            session.notify("role", "Your role has changed.", role=session.role.value)

    async def perish(self) -> None:
        """A device is lost with the copy on it: what it was told is saved must be on the server."""
        client = self.client()
        await self._break(client)
        client.begin_anew()

    async def clone(self) -> None:
        """A browser duplicates a tab: another of the same person's clients goes on under the same client id."""
        original, other = self.rng.sample(self.clients, 2)
        if original.is_ours and other.is_ours:
            self.lived["forks"] += 1
            await self._break(other)
            other.principal = original.principal
            other.begin_anew(original.doc.get_update(), original.doc.client_id)

    # Readers

    async def read(self) -> None:
        viewer = self.rng.choice(self.viewers)
        await viewer.read(self.server().feed)
        if self.rng.random() < 0.3:
            viewer.cut()

    # The end

    async def settle(self) -> None:
        """Faults end: everybody opens the document on a good line, everything arrives and is committed."""
        while self.ghosts:
            await self.ghost()
        for client in self.clients:
            await self._break(client)
        for line in self.ghosts:
            line.server.exchange.leave(line.session)
        await self._exchange_all()
        await self._compare_all()
        if self.has_forks and len(self.servers) > 1:
            await self._mend_forks()
        for viewer in self.viewers:
            viewer.cut()
            await viewer.read(self.server().feed)

    async def _compare_all(self) -> None:
        for server in self.servers:
            server.exchange.tell_digest()
            server.exchange.ask_all()
        await self._exchange_all()

    async def _mend_forks(self) -> None:
        """Two servers may have told two histories of one client id live, and people built on both.

        Our clients find out by the digest; stock ones have what is true once their page is loaded again, and where only
        they are the next snapshot finds out.
        """
        await self.servers[0].compact(self.log.seq)
        await self._exchange_all()
        for client in self.clients:
            if not client.is_ours:
                await self._break(client)
                client.begin_anew()
        for _ in range(2):
            await self._compare_all()

    async def _exchange_all(self) -> None:
        quiet = 0
        for _ in range(MOST_ROUNDS):
            if quiet == 2:
                return
            quiet += 1
            for client in self.clients:
                if client.line is None:
                    self._connect(client)
                line = client.line
                assert line is not None
                quiet = 0 if line.up else quiet
                self._receive(line, list(line.up))
                line.up.clear()
                line.server.exchange.flush()
                self._pull(client)
                quiet = 0 if line.down else quiet
                await self._hear_all(client, line)
            for server in self.servers:
                await server.finish()
                await server.compare()
            for server in self.servers:
                while server.is_behind:
                    quiet = 0
                    await self._follow(server, len(self.log.entries))
        raise AssertionError("the world does not come to rest")

    async def _hear_all(self, client: Client, line: Line) -> None:
        frames, line.down = line.down, deque()
        for frame in frames:
            self._tell(client, frame)
        await self._hear(client, 0)

    def _tell(self, client: Client, frame: bytes) -> None:
        try:
            client.hear(frame)
        except Malformed as error:
            if not self.has_forks:
                raise
            # The clock of a copy may cut the server's emoji in two; what follows from there is not to be used.
            client.refusals.append(f"an answer to a fork: {error}")

    def texts(self) -> dict[str, str]:
        """Everybody's text; that of the log alone is read without any snapshot."""
        replayed = Replica(1)
        replayed.load([entry.payload for entry in self.log.entries])
        return {
            "replayed": replayed.text,
            **{f"server {at}": server.exchange.intake.replica.text for at, server in enumerate(self.servers)},
            **{f"committed {at}": str(server.exchange.intake.text) for at, server in enumerate(self.servers)},
            **{f"viewer {index}": viewer.text for index, viewer in enumerate(self.viewers)},
            **{f"client {index}": str(client.text) for index, client in enumerate(self.clients)},
        }
