"""Commands on the files of a study: gather them, hand them to other tools, bring two studies together."""

from __future__ import annotations

from pathlib import Path

import allometry as al
from allometry.cli.application import Flag, app


@app.command(sort_key=11.1)
def compact(study: Path, *, json: Flag = False) -> int:
    """Gather a study's finished runs in a few Parquet files, so that thousands are read fast.

    The files of the runs stay, and stay the truth: what changes or ends later is read from them.

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    json
        Print what was gathered as JSON.
    """
    from allometry.report.terminal import show
    from allometry.units import show_count

    made = al.Study.open(study).compact()
    size = f"{show_count(made.size_bytes)}B"
    return show(made, f"Gathered {made.runs} runs ({made.added} of them new) in {size}", json)


@app.command(sort_key=11.2)
def export(study: Path, into: Path, *, curves: Flag = False, json: Flag = False) -> int:
    """Write a study's runs, or their curves, as one Parquet or CSV file.

    Parameters
    ----------
    study
        The folder of a study, or an address such as s3://bucket/study.
    into
        The file: runs.parquet or runs.csv.
    curves
        One row a logged step, instead of one row a run.
    json
        Print where it is and how many rows it has as JSON.
    """
    from allometry.report.terminal import show
    from allometry.runs.exporting import export

    made = export(al.Study.open(study), into, curves=curves)
    return show(made, f"Wrote {made.rows:,} rows to {made.path}", json)


@app.command(sort_key=11.3)
def merge(study: Path, other: Path, *, keep_conflicts: Flag = False, json: Flag = False) -> int:
    """Copy the finished runs of another study that this one lacks.

    Parameters
    ----------
    study
        The folder of the study that grows, or an address such as s3://bucket/study.
    other
        The one whose runs are copied; it stays as it is.
    keep_conflicts
        Go on where a run came out differently, and keep the one that is here.
    json
        Print what was copied as JSON.
    """
    from allometry.report.terminal import show
    from allometry.runs.merging import merge

    made = merge(al.Study.open(study), al.Study.open(other), keep_conflicts=keep_conflicts)
    said = [f"Copied {len(made.copied)} runs; {len(made.same)} were here already, with the same result"]
    said += [f"Kept what is here of run {conflict}" for conflict in made.conflicts]
    return show(made, "\n".join(said), json)
