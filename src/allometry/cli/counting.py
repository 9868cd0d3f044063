"""The command that counts a model: a recipe's, or a public one's."""

from __future__ import annotations

from pathlib import Path

from allometry.cli.application import Flag, Quantity, app


@app.command(sort_key=2.6)
def count(model: Path, *, context: Quantity | None = None, json: Flag = False) -> int:
    """Count what a model has and costs: parameters by group and convention, FLOP, cache, weights.

    Parameters
    ----------
    model
        A recipe (.toml), or a public model's configuration (.json), as its config.json.
    context
        Tokens per sequence, for a public model; the longest it is stated for, if not given.
    json
        Print the counts as JSON.
    """
    from allometry.planning.models import count_file, describe_counts
    from allometry.report.terminal import show

    counted = count_file(model, context=context)
    return show(counted, describe_counts(counted), json)
