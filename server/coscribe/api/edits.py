"""The JSON of text edits, and what each of them is to the core. Positions count from 0, lines from 1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from coscribe.core import textedit
from coscribe.core.units import Units

# Each edit costs a pass over the text; who has more to say sends the whole text or a diff.
EDITS_MOST = 1000

# JSON numbers beyond 2^53 are not exact in JavaScript, and no text is that long.
Position = Annotated[int, Field(ge=0, lt=2**53, strict=True)]


class _Edit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AppendEdit(_Edit):
    """Put `text` behind the end."""

    op: Literal["append"]
    text: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.Append(self.text)


class PrependEdit(_Edit):
    """Put `text` before the start."""

    op: Literal["prepend"]
    text: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.Prepend(self.text)


class InsertEdit(_Edit):
    """Put `text` at a position."""

    op: Literal["insert"]
    at: Position
    text: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.Insert(self.at, self.text)


class ReplaceEdit(_Edit):
    """Put `text` in place of what stands from `start` up to, not including, `end`."""

    op: Literal["replace"]
    start: Position
    end: Position
    text: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.Replace(self.start, self.end, self.text)


class FindReplaceEdit(_Edit):
    """Put `replace` where `find` stands first, or everywhere with `all`."""

    op: Literal["find_replace"]
    find: str = Field(min_length=1)
    replace: str
    all: bool = False

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.FindReplace(self.find, self.replace, self.all)


class ReplaceLinesEdit(_Edit):
    """Put `text` in place of the lines `first` to `last`, both included."""

    op: Literal["replace_lines"]
    first: Annotated[int, Field(ge=1, lt=2**53, strict=True)]
    last: Annotated[int, Field(ge=1, lt=2**53, strict=True)]
    text: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.ReplaceLines(self.first, self.last, self.text)


class DiffEdit(_Edit):
    """Apply a unified diff of one file."""

    op: Literal["diff"]
    diff: str

    def to_edit(self) -> textedit.Edit:
        """The edit as the core knows it."""
        return textedit.UnifiedDiff(self.diff)


AnyEdit = Annotated[
    AppendEdit | PrependEdit | InsertEdit | ReplaceEdit | FindReplaceEdit | ReplaceLinesEdit | DiffEdit,
    Field(discriminator="op"),
]


class TextPatch(BaseModel):
    """Edits that are made in order, all of them or none."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"edits": [{"op": "append", "text": "\n- [ ] Call Ada\n"}]},
                {"base": 42, "units": "utf-16", "edits": [{"op": "insert", "at": 0, "text": "# Minutes\n"}]},
                {"edits": [{"op": "find_replace", "find": "teh", "replace": "the", "all": True}]},
            ]
        },
    )

    base: Annotated[int, Field(ge=0, lt=2**53, strict=True)] | None = Field(
        None, description="The seq of the text that the edits are made on; without it the newest."
    )
    units: Units = Field(Units.CODE_POINTS, description="What positions count.")
    edits: list[AnyEdit] = Field(min_length=1, max_length=EDITS_MOST)

    def to_edits(self) -> list[textedit.Edit]:
        """The edits as the core knows them."""
        return [edit.to_edit() for edit in self.edits]
