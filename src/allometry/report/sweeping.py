"""What a sweep says of itself: before it runs, and round by round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from allometry.plots.designs import planned_runs
from allometry.plots.pictures import save_picture
from allometry.report.terminal import say, show, show_table
from allometry.runs.run import Runs
from allometry.runs.study import Study
from allometry.sweeps.closing import Closing
from allometry.sweeps.designs import Design
from allometry.sweeps.estimates import estimate
from allometry.sweeps.round_files import Round
from allometry.sweeps.rounds import next_round
from allometry.sweeps.spec import is_study, read_spec_file
from allometry.sweeps.until import Until
from allometry.units import show_power


def show_estimate(
    design: Design,
    source: Path,
    rates: Mapping[str, float | None],
    *,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Print every run of a design with what it takes, and the totals; returns the exit code 0.

    Args:
        source: The study, whose timed runs say how fast a worker is, or its study.toml.
        rates: flops_per_second and usd_per_hour, each stated or None.
        plot: Where to save the design as a picture.
    """
    made = estimate(design, _runs(source), **rates)
    if plot:
        save_picture(planned_runs(made), plot)
    code = show_table(made.runs, as_json)
    if len(made.runs):
        say(made.describe(), as_json)
    return code


def show_next_round(
    source: Path,
    until: Until,
    rates: Mapping[str, float | None],
    *,
    into: Path | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Print the runs that a sweep would choose next, with what they take, and why; returns the exit code 0.

    Args:
        source, into: As of a sweep.
        rates, plot: As of `show_estimate`.
    """
    with _looked_at(source, into) as study:
        made, asked = next_round(study, until)
        code = show_estimate(asked, study.folder, rates, plot=plot, as_json=as_json)
    say(f"Round {made.number}: {made.because}" if made.runs else made.because, as_json)
    return code


@contextmanager
def _looked_at(source: Path, into: Path | None) -> Iterator[Study]:
    """The study that a sweep would go on with; one aside if it would begin one."""
    folder = source if is_study(source) else into or Path(read_spec_file(source).name)
    if is_study(folder):
        yield Study.open(folder)
        return
    with TemporaryDirectory() as aside:
        yield Study.create(Path(aside) / "study", source.read_text(encoding="utf-8"))


def show_rounds(rounds: Sequence[Round], judged: Closing | None, as_json: bool) -> int:
    """Print the rounds of a sweep that chose its own runs; returns the exit code 0.

    Args:
        judged: What the runs say of the forecast; in JSON it stands in the last round, as "forecast".
    """
    table = pd.DataFrame(
        [
            {
                "round": one.number,
                "runs": len(one.runs),
                "flops": show_power(one.flops) if one.runs else "",
                "width": _share(one.width),
                "expected": _share(one.expected),
                "because": one.because,
            }
            for one in rounds
        ]
    )
    text = table.to_string(index=False)
    return show(_with_forecast(rounds, judged), f"{text}\n{judged.describe()}" if judged else text, as_json)


def _with_forecast(rounds: Sequence[Round], judged: Closing | None) -> list[dict[str, Any]]:
    *earlier, last = (asdict(one) for one in rounds)
    if judged is None:
        return [*earlier, {**last, "forecast": None}]
    said = {"apart": judged.apart, "warns": judged.warns, "sentence": judged.describe()}
    return [*earlier, {**last, "forecast": {**asdict(judged), **said}}]


def _runs(source: Path) -> Runs | None:
    return Study.open(source).runs() if is_study(source) else None


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
