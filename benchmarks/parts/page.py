"""A benchmark's result as a table: printed, and on request put in its place in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Printed by `make bench`; each part is written here by the command under its title. CPU time is that of one
core, with the linear algebra held to one thread, and ratios compare two procedures in one run on one machine.
"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One measured table.

    Attributes:
        name: Its place on the page, such as "point-fit".
        command: What was typed after `python` to get it.
        says: What was measured and how, in sentences.
        header, rows: Cells as text.
        notes: What the table shows, goals missed included.
    """

    name: str
    title: str
    command: str
    says: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """For a terminal: columns of equal width."""
        cells = [self.header, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.header))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join(["", self.title, self.says, "", lines[0], rule, *lines[1:], *self.notes, ""])

    def markdown(self) -> str:
        """For the page: title, command, date and versions, table, notes."""
        rows = [
            "| " + " | ".join(row) + " |" for row in (self.header, ["---"] * len(self.header), *self.rows)
        ]
        notes = "\n".join(f"- {note}" for note in self.notes)
        parts = [
            f"## {self.title}",
            f"`python {self.command}`, {circumstances()}.",
            self.says,
            "\n".join(rows),
        ]
        return "\n\n".join([*parts, notes] if notes else parts)


def circumstances() -> str:
    """When and with what a table was measured, in general words."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("allometry", "numpy", "scipy"))
    machine = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    return f"{date.today().isoformat()}, {packages}, Python {platform.python_version()}, {machine}"


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument(
        "--full", action="store_true", help="the sizes of docs/benchmarks.md, not a quick look"
    )
    parser.add_argument("--markdown", action="store_true", help="also write the table to docs/benchmarks.md")
    return parser


def peer_option(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The option of benchmarks that compare with other packages."""
    parser.add_argument(
        "--peers", type=Path, metavar="FOLDER", help="install the packages compared with in here and run them"
    )
    return parser


def publish(table: Table, *, markdown: bool) -> None:
    """Print a table, and with `markdown` put it in its place on the page."""
    sys.stdout.write(table.text())
    sys.stdout.flush()
    if markdown:
        page = PAGE.read_text() if PAGE.exists() else _HEAD
        PAGE.write_text(placed(page, table))


def placed(page: str, table: Table) -> str:
    """The page with this table in it: in its place if it has one, else at the end."""
    begin, end = f"<!-- {table.name} -->", f"<!-- /{table.name} -->"
    section = f"{begin}\n\n{table.markdown()}\n\n{end}"
    old = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if old.search(page):
        return old.sub(lambda _: section, page)
    return f"{page.rstrip()}\n\n{section}\n"


def goal(what: str, reached: bool, measured: str) -> str:
    """One line under a table: a goal, whether it is met, and by what."""
    return f"{what}: {'met' if reached else 'MISSED'} ({measured})."


def progress(text: str) -> None:
    """A line for whoever waits, beside the table, not in it."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
