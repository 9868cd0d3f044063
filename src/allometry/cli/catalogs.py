"""Commands that list what there is."""

from __future__ import annotations

import allometry as al
from allometry.cli.application import Flag, app


@app.command(sort_key=10)
def laws(*, json: Flag = False) -> int:
    """List the laws that can be fitted, with formula and source.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    from allometry.report.terminal import show

    known = al.laws.LAWS.values()
    rows = [
        {"name": one.name, "formula": f"{one.predicts} = {one.formula}", "source": one.source}
        for one in known
    ]
    return show(rows, "\n".join("{name}: {formula}\n    {source}".format(**row) for row in rows), json)


@app.command(sort_key=10.5)
def sources(*, json: Flag = False) -> int:
    """List what runs can be read from: formats of files, trackers, and published tables by name.

    Parameters
    ----------
    json
        Print the list as JSON.
    """
    from allometry.report.terminal import show
    from allometry.runs.importers import IMPORTERS
    from allometry.runs.importers.published import PUBLISHED

    formats = [{"format": one.name, "reads": one.reads} for one in IMPORTERS.values()]
    tables = [{"name": f"published:{name}", "holds": one.holds} for name, one in PUBLISHED.items()]
    lines = ["{format}: {reads}".format(**row) for row in formats]
    lines += ["", *("{name}: {holds}".format(**row) for row in tables)]
    return show({"formats": formats, "published": tables}, "\n".join(lines), json)
