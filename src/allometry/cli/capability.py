"""Commands on what models can do: scores on tasks, by loss, by compute and across model families."""

from __future__ import annotations

from cyclopts import App

from allometry.cli.application import app

capability = App(
    name="capability",
    help="Forecast and explain scores on tasks; every command below can print --json.",
    sort_key=9.2,
)
app.command(capability)
