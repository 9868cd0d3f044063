"""Write the pages of docs/reference from the catalogs, or check that they are current."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a script too

from docs.parts.architectures import architectures_page
from docs.parts.recipes import recipes_page

from allometry import laws
from allometry.cli import app
from allometry.fitting.checks import CHECKS
from allometry.laws import Law
from allometry.runs.columns import COLUMNS
from allometry.runs.importers import IMPORTERS
from allometry.runs.importers.published import PUBLISHED, PublishedTable

HERE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; edit the docstrings, then run `make docs`. -->\n\n"

HOW_TO_READ = (
    "`read_runs(source)`, or `allometry import SOURCE --into runs.csv`. The columns that were understood are "
    "shown and kept with the runs; what is ambiguous is an error that names the choices."
)
HOW_TO_FETCH = (
    '`read_runs("published:NAME")`. Nothing is shipped: a table is fetched to your cache on request, '
    "or read from the folder that `ALLOMETRY_DATA` names."
)


def law_section(law: Law) -> str:
    """One law: what it says, formula, coefficients, source, the example that its docstring runs."""
    rows = [
        f"| `{c.name}` | {c.meaning} | {c.unit} | {'' if c.typical is None else f'{c.typical:.4g}'} |"
        for c in law.coefficients
    ]
    reads = ", ".join(f"`{name}`" for name in law.reads)
    summary, _, rest = law.description.partition("\n\n")
    parts = [
        f"## {law.name}",
        summary,
        f"$$ {law.latex()} $$",
        f"Reads {reads}; predicts `{law.predicts}`, compared on the {law.on} scale. Source: {law.source}.",
        "\n".join(["| coefficient | meaning | unit | typical |", "|---|---|---|---|", *rows]),
        f"```text\n{rest}\n```" if rest else "",
    ]
    return "\n\n".join(part for part in parts if part)


def laws_page() -> str:
    """All laws, and the families that more of them come from."""
    families = [f"- `{family.name}(...)`: {family.arguments}" for family in laws.FAMILIES.values()]
    own = (
        "A law of your own is the same decorator in your own file: "
        "`allometry fit runs.csv --law mylaws.py:my_law`."
    )
    sections = "\n\n".join(law_section(law) for law in laws.LAWS.values())
    return "\n\n".join(["# Laws", own, "## Families", "\n".join(families), sections]) + "\n"


def importers_page() -> str:
    """All formats, and all published tables."""
    rows = [f"| `{one.name}` | {one.reads} | {one.source} |" for one in IMPORTERS.values()]
    formats = "\n".join(["| format | reads | source |", "|---|---|---|", *rows])
    tables = [published_section(name, table) for name, table in PUBLISHED.items()]
    parts = ["# Importers", HOW_TO_READ, formats, "## Published tables", HOW_TO_FETCH, *tables]
    return "\n\n".join(parts) + "\n"


def published_section(name: str, table: PublishedTable) -> str:
    """One published table: what it holds, where from, how it is verified, what to know."""
    where = f"Paper: {table.paper}. From {table.origin}; licence: {table.licence}."
    return "\n\n".join(
        [
            f"### published:{name}",
            table.holds,
            f"{where} Checked: {table.verification}.",
            "\n".join(f"- {fact}" for fact in table.know),
        ]
    ).rstrip()


def checks_page() -> str:
    """All checks."""
    rows = [
        f"| `{one.code}` | {one.looks_for} | {one.source} | {'every fit' if one.quick else '`check`'} |"
        for one in CHECKS.values()
    ]
    head = ["| code | looks for | source | run by |", "|---|---|---|---|"]
    return "# Checks of a fit\n\n" + "\n".join([*head, *rows]) + "\n"


def columns_page() -> str:
    """All canonical columns."""
    rows = [f"| `{c.name}` | {c.unit or c.kind} | {c.meaning} |" for c in COLUMNS.values()]
    return (
        "# Columns of a table of runs\n\n"
        + "\n".join(["| column | unit | meaning |", "|---|---|---|", *rows])
        + "\n"
    )


def commands_page() -> str:
    """All commands."""
    return app.generate_docs(output_format="markdown").rstrip() + "\n"


PAGES = {
    "laws.md": laws_page,
    "checks.md": checks_page,
    "importers.md": importers_page,
    "columns.md": columns_page,
    "recipes.md": recipes_page,
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
