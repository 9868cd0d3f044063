"""How far a run is, read from its curve: for processes that have no other line to this one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allometry.sweeps.executors.events import Advanced
from allometry.sweeps.trainers.watch import Watch

_TAIL = 4096  # bytes: more than a line of the curve has
_EVERY = 2.0  # seconds between looks at a curve


@dataclass
class CurveReader:
    """Follows the history.jsonl of a run in training."""

    folder: Path
    run_id: str
    _looked: float = 0.0
    _begun: tuple[int, float] | None = field(default=None)  # tokens and clock when it was first seen
    _tokens: int = -1

    def tell(self, watch: Watch) -> None:
        """Pass on what is new."""
        word = self.word()
        if word is not None:
            watch.tell(word)

    def word(self) -> Advanced | None:
        """What the last whole line says, if it is new; looks at the file every other second at most."""
        if time.monotonic() - self._looked < _EVERY:
            return None
        self._looked = time.monotonic()
        line = _last_line(self.folder / "history.jsonl")
        if not _is_of_the_lab(line) or line["tokens"] == self._tokens:
            return None
        self._tokens = int(line["tokens"])
        self._begun = self._begun or (self._tokens, self._looked)
        elapsed = self._looked - self._begun[1]
        speed = (self._tokens - self._begun[0]) / elapsed if elapsed else 0.0
        return Advanced(run_id=self.run_id, tokens=self._tokens, loss=line["loss"], tokens_per_second=speed)


def _last_line(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            whole = file.read().rpartition(b"\n")[0]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    last = whole.rpartition(b"\n")[2]
    try:
        return dict(json.loads(last)) if last.startswith(b"{") else {}
    except ValueError:
        return {}


def _is_of_the_lab(line: Mapping[str, Any]) -> bool:
    """Whether it says what the lab's lines say: a user's trainer may keep a file of that name, too."""
    return all(isinstance(line.get(name), int | float) for name in ("tokens", "loss"))
