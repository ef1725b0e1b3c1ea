"""Writing a text anew where the CRDT does not give everybody the same one.

A struct names the two between which it was put. Where these stand the other way round, its place depends on what is
there already when it comes: whoever replays the log in its order reads one text, whoever loads the encoded state, which
goes by clients, another. Nobody who writes on his own copy of the document makes such a struct. It comes from a copy
with another history, which a copied client id can have at two servers, or from somebody who means harm.
No merging mends that, since all of them have all of it. `Replica.write_anew` does: everything goes, and the text comes
again in one run, which nothing that was there before can tear apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from coscribe.core.replica import Replica
from coscribe.core.restoring import Restoring


def leads_to(pieces: Sequence[bytes], replica: Replica) -> bool:
    """Whether an encoded state, in the pieces it is stored in, reads as the replica does that it was made from.

    In a thread, and raises, as `Restoring.state`.
    """
    made = Restoring(Replica(replica.client_id))
    made.state(pieces, 0)
    return made.replica.runs == replica.runs and made.replica.clocks == replica.clocks
