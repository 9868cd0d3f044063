"""Write the pages of docs/reference from the catalogs, or check that they are current."""

from __future__ import annotations

import sys
from pathlib import Path

from allometry import laws
from allometry.architectures import ARCHITECTURES
from allometry.cli import app
from allometry.laws import Law
from allometry.runs.columns import COLUMNS

HERE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; edit the docstrings, then run `make docs`. -->\n\n"


def law_section(law: Law) -> str:
    """One law: what it says, formula, coefficients, source."""
    rows = [f"| `{c.name}` | {c.meaning} | {c.unit} |" for c in law.coefficients]
    reads = ", ".join(f"`{name}`" for name in law.reads)
    parts = [
        f"## {law.name}",
        law.description.split("\n\n")[0],
        f"$$ {law.latex()} $$",
        f"Reads {reads}; predicts `{law.predicts}`. Source: {law.source}.",
        "\n".join(["| coefficient | meaning | unit |", "|---|---|---|", *rows]),
    ]
    return "\n\n".join(parts)


def laws_page() -> str:
    """All laws."""
    return "# Laws\n\n" + "\n\n".join(law_section(law) for law in laws.LAWS.values()) + "\n"


def columns_page() -> str:
    """All canonical columns."""
    rows = [f"| `{c.name}` | {c.unit or c.kind} | {c.meaning} |" for c in COLUMNS.values()]
    return (
        "# Columns of a table of runs\n\n"
        + "\n".join(["| column | unit | meaning |", "|---|---|---|", *rows])
        + "\n"
    )


def architectures_page() -> str:
    """All architectures."""
    sections = [
        f"## {name}\n\n```text\n{(kind.__doc__ or '').strip()}\n```" for name, kind in ARCHITECTURES.items()
    ]
    return "# Architectures\n\n" + "\n\n".join(sections) + "\n"


def commands_page() -> str:
    """All commands."""
    return app.generate_docs(output_format="markdown").rstrip() + "\n"


PAGES = {
    "laws.md": laws_page,
    "columns.md": columns_page,
    "architectures.md": architectures_page,
    "commands.md": commands_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check compare them; returns the exit code."""
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, NOTE + page()
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.stderr.write(f"Not current: {', '.join(stale)} in docs/reference. Run: make docs\n")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
