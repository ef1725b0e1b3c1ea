"""Where a page of documents ended: an opaque word, base64url of JSON `[updated_at in microseconds, id]`."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from coscribe.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The last microsecond of the year 9999, where datetime ends.
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
# Ours have some 60 characters; a longer one need not be parsed to be refused.
_MAX_CHARACTERS = 256
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def encode_cursor(updated_at: datetime, document_id: str) -> str:
    """The cursor behind a document."""
    place = json.dumps([(updated_at - _EPOCH) // _MICROSECOND, document_id])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """What a cursor stands for; InvalidInput when it is none."""
    try:
        place = _parsed(cursor)
    except (ValueError, binascii.Error) as error:
        raise _refusal() from error
    match place:
        # bool is an int to Python, JSON's true is none to us.
        case [int(microseconds), str(document_id)] if not isinstance(microseconds, bool):
            if 0 <= microseconds <= _LAST and _ID.fullmatch(document_id):
                return _EPOCH + microseconds * _MICROSECOND, document_id
    raise _refusal()


def _parsed(cursor: str) -> Any:
    if len(cursor) > _MAX_CHARACTERS:
        raise ValueError("longer than any cursor")
    padded = cursor + "=" * (-len(cursor) % 4)
    return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))


def _refusal() -> InvalidInput:
    return InvalidInput("This is no cursor of a page.", field="cursor")
