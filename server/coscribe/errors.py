"""One tree of errors. api/problems.py maps each class to a problem+json status and a WebSocket close code."""


def cause_of(error: BaseException) -> str:
    """What a driver said behind an error, on one line: without the statement and its values, which may be texts."""
    cause = error.__cause__ or error
    told = str(getattr(cause, "orig", None) or cause)
    return told.strip().partition("\n")[0].rstrip(".")


class CoscribeError(Exception):
    """Whatever Coscribe refuses or cannot do; `str()` is a sentence for the person who asked."""


class Malformed(CoscribeError):
    """Bytes that are no message, update or state vector of the protocol."""


class UpdateRefused(CoscribeError):
    """A well-formed update that may not enter a document; `limit` names the rule it breaks."""

    def __init__(self, reason: str, *, limit: str) -> None:
        super().__init__(reason)
        self.limit = limit


class InvalidInput(CoscribeError):
    """A value that cannot be used; `field` says which."""

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


class EditConflict(CoscribeError):
    """An edit of a list that cannot be made on the text as it is; `index` counts from 0."""

    def __init__(self, reason: str, *, index: int) -> None:
        super().__init__(reason)
        self.index = index


class PreconditionFailed(CoscribeError):
    """The text is not the one that `If-Match` names."""


class Unauthenticated(CoscribeError):
    """The credential is missing, unknown or expired."""


class Forbidden(CoscribeError):
    """The caller may see the document but not do this; `limit` names the setting that says so, where one does."""

    def __init__(self, reason: str, *, limit: str | None = None) -> None:
        super().__init__(reason)
        self.limit = limit


class NotFound(CoscribeError):
    """No such thing, or not for this caller: both look the same."""


class PositionGone(CoscribeError):
    """A past position that can no longer be read: retention let its entries go, or they are damaged.

    `upto` is the last entry that is missing.
    """

    def __init__(self, reason: str, *, upto: int) -> None:
        super().__init__(reason)
        self.upto = upto


class InTrash(CoscribeError):
    """The document is in the trash: it can be read, restored and purged by its owner, nothing else."""


class TooLarge(CoscribeError):
    """More than a limit allows; `limit` names the setting."""

    def __init__(self, reason: str, *, limit: str) -> None:
        super().__init__(reason)
        self.limit = limit


class Unavailable(CoscribeError):
    """Cannot be done now, may be tried again after `retry_after_s` seconds; `limit` names the setting that is met."""

    def __init__(self, reason: str, *, retry_after_s: int = 2, limit: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.limit = limit


class TooMany(CoscribeError):
    """More often than a rate allows; `limit` names the setting. May be tried again after `retry_after_s` seconds."""

    def __init__(self, reason: str, *, limit: str, retry_after_s: int) -> None:
        super().__init__(reason)
        self.limit = limit
        self.retry_after_s = retry_after_s
