"""Whether a database file is sound, read beside the server."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.ledger import Ledger
from tests.support.server import CoscribeServer

from coscribe.core.update import scan

# As a ledger makes them; an update has other bytes beside the words.
_WORD = re.compile(rb"<[a-z]+-[0-9]+>")


def check_file(server: CoscribeServer, ledger: Ledger) -> None:
    """The file is sound, and every word stands in the log under its author's client (I5)."""
    with closing(sqlite3.connect(Path(server.data_dir) / "coscribe.db")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        owners = {
            (document, client): name
            for document, client, name in file.execute(
                "SELECT document_id, client_id, name FROM client_ids JOIN principals ON principals.id = principal_id"
            )
        }
        for document, payload in file.execute("SELECT document_id, payload FROM updates"):
            clients = {client for client, _, _ in scan(payload).structs}
            authors = {ledger.authors[word.decode()] for word in _WORD.findall(payload)}
            assert authors <= {owners[document, client] for client in clients}  # what is no word is nobody's
