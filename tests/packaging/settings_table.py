"""The table of settings in docs/operations.md, made from the settings themselves. Run it to write the table anew:

python -m tests.packaging.settings_table
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from coscribe.config import Settings

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_BETWEEN = re.compile(r"(<!-- settings:[^\n]*-->\n)(.*?)(<!-- /settings -->)", re.DOTALL)
_HEAD = "| Variable | Default | What it does |\n| --- | --- | --- |\n"


def table() -> str:
    """The table as it should be."""
    return _HEAD + "".join(
        f"| `COSCRIBE_{name.upper()}` | {_default(field.default)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    )


def written() -> str:
    """The table as it stands in the page."""
    found = _BETWEEN.search(PAGE.read_text("utf-8"))
    assert found is not None
    return found[2]


def _default(value: Any) -> str:
    if value is None or value == () or value is PydanticUndefined:
        return ""
    if isinstance(value, bool | tuple):
        return f"`{json.dumps(value)}`"
    return f"`{value}`"


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(_BETWEEN.sub(lambda found: found[1] + table() + found[3], text), "utf-8")
