"""What a batch stores: seqs under each document's row, entries, client ids, activities.

It is computed here from where the documents stand; only the statements around it differ between the databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError

from coscribe.errors import Unavailable
from coscribe.model import Activity, Append, Appended, Behind, Entry, Head, Place, Replaced
from coscribe.storage.activities import PlacedActivity
from coscribe.storage.checksums import entry_checksum, entry_checksums
from coscribe.storage.columns import Columns


class Storing:
    """A batch on documents that stand where `heads` says.

    Those that are gone, of another generation, or further than an append was made for, take nothing.
    """

    def __init__(self, batch: Sequence[Append], heads: Mapping[str, Head]) -> None:
        self._batch = batch
        self._heads = heads
        # Each append that found its document, with the document's seq after it.
        self._placed = [
            (append, head.seq + len(append.entries))
            for append in batch
            if (head := heads.get(append.document_id)) is not None and _is_for(append, head)
        ]

    def documents(self) -> Columns:
        """Which documents rise to which seq, as of when."""
        raised = [(append, seq) for append, seq in self._placed if append.entries]
        return {
            "id": [append.document_id for append, _ in raised],
            "seq": [seq for _, seq in raised],
            "updated_at": [append.entries[-1].at for append, _ in raised],
        }

    def updates(self) -> Columns:
        """The entries."""
        entries = [entry for append, _ in self._placed for entry in append.entries]
        ids, generations, seqs, checksums = list[str](), list[int](), list[int](), list[bytes]()
        for append, seq in self._placed:
            count = len(append.entries)
            ids += [append.document_id] * count
            generations += [append.generation] * count
            seqs += range(seq - count + 1, seq + 1)
            checksums += entry_checksums(_place(append), seq - count + 1, append.entries)
        return {
            "document_id": ids,
            "generation": generations,
            "seq": seqs,
            "principal_id": [entry.principal_id for entry in entries],
            "session_id": [entry.session_id for entry in entries],
            "at": [entry.at for entry in entries],
            "payload": [entry.payload for entry in entries],
            "checksum": checksums,
        }

    def client_ids(self) -> Columns:
        """The client ids with their owners."""
        owned = [(append, pair) for append, _ in self._placed for pair in append.client_ids]
        return {
            "document_id": [append.document_id for append, _ in owned],
            "generation": [append.generation for append, _ in owned],
            "client_id": [client_id for _, (client_id, _) in owned],
            "principal_id": [principal_id for _, (_, principal_id) in owned],
        }

    def activities(self) -> list[PlacedActivity]:
        """The activities, in the order of the batch."""
        return [(append.document_id, seq, item) for append, seq in self._placed for item in append.activities]

    def answers(self, told: Sequence[Activity]) -> list[Appended | Replaced | Behind | None]:
        """What is answered, in the order of the batch, once all is stored; `told` are the activities as stored."""
        answers: dict[str, Appended | Replaced | Behind] = {
            append.document_id: Behind(head.seq) if head.generation == append.generation else Replaced(head.generation)
            for append in self._batch
            if (head := self._heads.get(append.document_id)) is not None
        }
        taken = 0
        for append, seq in self._placed:
            of_this = tuple(told[taken : taken + len(append.activities)])
            taken += len(append.activities)
            answers[append.document_id] = Appended(seq - len(append.entries) + 1, of_this)
        return [answers.get(append.document_id) for append in self._batch]


def _is_for(append: Append, head: Head) -> bool:
    return head.generation == append.generation and append.after in (None, head.seq)


def _place(append: Append) -> Place:
    return Place(append.document_id, append.generation)


def entry_row(place: Place, entry: Entry) -> dict[str, object]:
    """The row of an entry, with its checksum."""
    return {
        "document_id": place.document_id,
        "generation": place.generation,
        "seq": entry.seq,
        "principal_id": entry.principal_id,
        "session_id": entry.session_id,
        "at": entry.at,
        "payload": entry.payload,
        "checksum": entry_checksum(place, entry),
    }


def is_of_rows(error: Exception) -> bool:
    """Whether a failed append tells of what was to be stored or of damage that it met, not of the database's health.

    SQLite tells of a damaged page by a plain DatabaseError; a disk that is full or a file that is locked is an
    OperationalError.
    """
    if not isinstance(error, Unavailable):
        return True
    cause = error.__cause__
    return isinstance(cause, IntegrityError | DataError | ProgrammingError) or type(cause) is DatabaseError
