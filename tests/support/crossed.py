"""An update that the CRDT places one way where it comes last and another way where all is read at once."""

from __future__ import annotations

from tests.support.wire_bytes import one, typed

# Client 5 writes `abc`; client 8 puts a Y behind the c and before the b: `aYbc` to those who are there, and `abcY` to
# whoever loads the encoded state.
ABC = one(5, 0, typed("abc"))
CROSSED = one(8, 0, typed("Y", after=(5, 2), before=(5, 1)))
