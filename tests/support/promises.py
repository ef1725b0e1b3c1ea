"""The proofs that the tree holds, read from its source: what docs/reliability.md has to name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
_FAULT = re.compile(r"\bF(\d+)\b")
# Behind all numbered faults.
_LAST = 1000


@dataclass(frozen=True, slots=True)
class Promise:
    """One proof: what is promised, which faults it is about, how it is tried and where that is written."""

    promise: str
    faults: str
    how: str
    test: str

    @property
    def is_mutation(self) -> bool:
        """Whether it shows that another proof can fail."""
        return "mutation" in self.faults

    @property
    def order(self) -> tuple[int, str]:
        """Its place on paper: by its first fault."""
        return min((int(number) for number in _FAULT.findall(self.faults)), default=_LAST), self.test


def promises(folder: Path = TESTS) -> list[Promise]:
    """All proofs of a folder in the order of the paper; raises ValueError for a marker that cannot be read."""
    found = [promise for file in sorted(folder.rglob("test_*.py")) for promise in _of_file(file, folder)]
    return sorted(found, key=lambda promise: promise.order)


def _of_file(file: Path, folder: Path) -> Iterator[Promise]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.proof":
                told = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in decorator.keywords}
                if set(told) != {"promise", "faults", "how"}:
                    raise ValueError(f"{file}: {node.name} wants promise, faults and how")
                yield Promise(**told, test=f"{folder.name}/{file.relative_to(folder)}::{node.name}")
