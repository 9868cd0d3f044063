"""The register in object storage, where nothing can be appended to: one object a record, numbered from 1.

    forecasts/000001.json  forecasts/000002.json  …

A record is put only where there is no object of its number yet, which the storage itself decides. So of two
that state a forecast at once one is told to state it again, and the chain of hashes never forks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from allometry.errors import StudyBusy
from allometry.files import explained
from allometry.storage import create, listing, read_many

FOLDER = "forecasts"


@dataclass(frozen=True)
class RecordObjects:
    """The records of a register, as they were when it was opened.

    Attributes:
        folder: Where they are.
        names: Of the objects, in order.
    """

    folder: Path
    names: tuple[str, ...]

    def read(self) -> bytes:
        """All records, a line each."""
        found = read_many(self.folder, self.names)
        return b"".join(found[name].rstrip(b"\n") + b"\n" for name in self.names)

    def add(self, line: bytes) -> None:
        """Put a record behind the last one.

        Raises:
            StudyBusy: If another process was faster; nothing is written.
            StudyError: If it cannot be written.
        """
        path = self.folder / f"{len(self.names) + 1:06d}.json"
        with explained(path):
            if not create(path, line + b"\n"):
                raise StudyBusy(f"Another process wrote {path} at the same time; state the forecast again.")


@contextmanager
def opened(register: Path) -> Iterator[RecordObjects]:
    """The records that stand for the lines of a register's file."""
    folder = register.parent / FOLDER
    names = tuple(sorted(name for name in listing(folder) if name.endswith(".json")))
    yield RecordObjects(folder, names)
