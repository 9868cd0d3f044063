"""What an importer is: a name, what it reads, how it knows a source of its kind, and the cells it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from allometry.runs.importers.files import Cells


@dataclass(frozen=True, kw_only=True)
class Importer:
    """A reader of one foreign format; `read_runs` does the rest, the same for all.

    Attributes:
        name: What `format=` takes: "nanochat".
        reads: One sentence: the files or addresses it reads; shown in the docs.
        source: Where the format is described or written: tool, version, address.
        recognises: Whether a source given without `format=` is of this kind. Cheap: by its name, a prefix
            such as "wandb:", the head of a file or the names in a folder; it never raises.
        read: The cells under the source's own headers, in the source's own units. It raises InputError
            where there is nothing to read, and TableError where that is not of the format.
        columns: Header to canonical column, with a factor if need be ("flops * 1e9"), for what headers mean
            in this format beyond the names that are understood everywhere; None keeps a column as found. A
            header that the cells lack is passed over.
    """

    name: str
    reads: str
    source: str
    recognises: Callable[[str], bool]
    read: Callable[[str], Cells]
    columns: Mapping[str, str | None] = field(default_factory=dict)
