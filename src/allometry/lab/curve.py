"""The curve of a run on disk: one JSON line every few steps, cut back to where a run is taken up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allometry.files import explained, sync_file, write_atomically

LOG_STEPS = 8  # steps averaged into one line


@dataclass(frozen=True)
class Curve:
    """history.jsonl of one run."""

    path: Path

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line.

        Raises:
            StudyError: If it cannot be written.
        """
        with explained(self.path), self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def flush(self) -> None:
        """Make the lines so far survive a power cut: a checkpoint counts on those before it."""
        sync_file(self.path)

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines; one that is being written, or was when the disk filled up, is none."""
        texts = self.path.read_text().splitlines() if self.path.exists() else []
        return [json.loads(text) for text in texts if text.endswith("}")]

    def leading_to(self, step: int) -> list[dict[str, Any]]:
        """The lines that lead to a step."""
        return [line for line in self.lines() if _leads_to(step, line["step"])] if step else []

    def start_from(self, source: Curve, step: int) -> list[dict[str, Any]]:
        """Take over the lines of a curve that lead to a step; later ones are written again.

        Returns:
            The lines taken over.
        """
        kept = source.leading_to(step)
        write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        return kept


def _leads_to(step: int, line: int) -> bool:
    # A run's last line may average fewer steps; its losses are still pending in the checkpoint.
    return line <= step and line % LOG_STEPS == 0
