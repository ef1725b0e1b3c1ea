"""Whether a database file is sound, read beside the server."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.ledger import Ledger
from tests.support.server import CoscribeServer

from coscribe.core.update import scan
from coscribe.storage.segments import unpack

# As a ledger makes them; an update has other bytes beside the words.
_WORD = re.compile(rb"<[a-z]+-[0-9]+>")


def check_file(server: CoscribeServer, ledger: Ledger, *document_ids: str) -> None:
    """The file is sound, and every word of the ledger's documents stands in the log under its author's client (I5)."""
    with closing(sqlite3.connect(Path(server.data_dir) / "coscribe.db", isolation_level=None)) as file:
        file.execute("BEGIN")  # entries are packed meanwhile: all questions are asked of one moment
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        owners = {
            (document, client): name
            for document, client, name in file.execute(
                "SELECT document_id, client_id, name FROM client_ids JOIN principals ON principals.id = principal_id"
            )
        }
        entries = _entries(file)
        for document, head in file.execute("SELECT id, seq FROM documents"):
            assert sorted(seq for of, seq, _ in entries if of == document) == list(range(1, head + 1))
    for document, _, payload in (entry for entry in entries if entry[0] in document_ids):
        clients = {client for client, _, _ in scan(payload).structs}
        authors = {ledger.authors[word.decode()] for word in _WORD.findall(payload)}
        # Fewer where somebody pasted what is no word; nobody owns the clients of the server's own edits.
        assert authors <= {owners.get((document, client)) for client in clients}


def _entries(file: sqlite3.Connection) -> list[tuple[str, int, bytes]]:
    """Document, seq and bytes of every entry, whether it stands in a row or is packed."""
    rows = list(file.execute("SELECT document_id, seq, payload FROM updates"))
    for document, payload in file.execute("SELECT document_id, payload FROM segments"):
        rows += [(document, entry.seq, entry.payload) for entry in unpack(payload)]
    return rows
