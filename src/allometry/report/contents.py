"""What a report is about: gathers the items that were given, and what a study's folder holds."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from allometry.capabilities.along import ScoresAlong
from allometry.capabilities.attempts.forecasting import PassForecast
from allometry.capabilities.chain_recipes import TaskForecasts
from allometry.capabilities.emergence import Emergence
from allometry.capabilities.exchange import ExchangeCurve
from allometry.capabilities.families import Families
from allometry.capabilities.joint import JointOptimum
from allometry.capabilities.thinking import ThinkingFit
from allometry.capabilities.transfer_law import TransferLaw
from allometry.capabilities.verifiers import VerifierCurve
from allometry.capabilities.voting import VoteCurve
from allometry.errors import FitError, ForecastError, InputError, Refusal
from allometry.fitting import Finding, Fit, Forecast, check, check_forecast
from allometry.fitting.checks.definition import serious
from allometry.fitting.comparison.laws import Comparison
from allometry.fitting.comparison.recipes import Multiplier
from allometry.fitting.frontier.approaches import Approaches
from allometry.fitting.frontier.definition import Frontier
from allometry.forecasts.register import read_register
from allometry.forecasts.scoring import score
from allometry.planning.allocation import Plan, allocate
from allometry.report.judging import judge_fits
from allometry.runs.run import Runs
from allometry.runs.study import SPEC, Study
from allometry.sweeps.fits import largest_flops
from allometry.trends.account import TrendAccount
from allometry.trends.efficiency import Progress
from allometry.trends.inputs import Inputs
from allometry.trends.prices import Prices
from allometry.trends.sample_efficiency import SampleEfficiency
from allometry.trends.walls import Walls

TestTime = PassForecast | VoteCurve | VerifierCurve | ThinkingFit | JointOptimum | ExchangeCurve
OnAxis = ScoresAlong | TransferLaw
Supply = Prices | Inputs | Walls | SampleEfficiency
Item = (
    Study | Runs | Fit | Plan | Forecast | Comparison | Approaches | Frontier | Multiplier
    | TrendAccount | Progress | TaskForecasts | Families | Emergence
    | TestTime | OnAxis | Supply
)  # fmt: skip
Kind = TypeVar("Kind")
PLAN_FACTOR = 10.0  # of the largest run's compute, where study.toml does not say


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A forecast, where it was written down, and what came of it.

    Attributes:
        number: Its line in the register; 0 if it is not registered.
        outcome: Row of `score`; None if it is not registered.
    """

    forecast: Forecast
    number: int = 0
    target: str = ""
    stated: datetime | None = None
    assumptions: str = ""
    outcome: pd.Series[Any] | None = None

    @property
    def measured(self) -> float | None:
        """What the run measured; None if it has not, or failed."""
        if self.outcome is None or not math.isfinite(self.outcome["outcome"]):
            return None
        return float(self.outcome["outcome"])


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All that a report shows.

    Attributes:
        fits: The one that the study forecasts with comes first.
        asked: The plans that were given, and not made from a study's runs by default.
        frontiers: Results of approaches 1 and 2 that were given by themselves.
        problems: What is in the study's folder and cannot be read, or cannot be relied on.
        no_plan_because: Why there is no plan, where there is a fit; empty otherwise.
        chain: State of the register in words; empty without a study.
    """

    name: str
    command: str
    study: Study | None = None
    runs: Runs | None = None
    fits: tuple[Fit, ...] = ()
    plans: tuple[Plan, ...] = ()
    asked: tuple[Plan, ...] = ()
    forecasts: tuple[Stated, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    approaches: tuple[Approaches, ...] = ()
    frontiers: tuple[Frontier, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    tasks: tuple[TaskForecasts, ...] = ()
    families: tuple[Families, ...] = ()
    emergences: tuple[Emergence, ...] = ()
    attempts: tuple[TestTime, ...] = ()
    axes: tuple[OnAxis, ...] = ()
    trends: tuple[TrendAccount, ...] = ()
    progress: tuple[Progress, ...] = ()
    supplies: tuple[Supply, ...] = ()
    problems: tuple[Finding, ...] = ()
    no_plan_because: str = ""
    chain: str = ""
    _checked: dict[str, list[Finding]] = field(default_factory=dict, repr=False)

    @property
    def main(self) -> Fit | None:
        """The fit that charts are drawn of."""
        return self.fits[0] if self.fits else None

    @property
    def results(
        self,
    ) -> tuple[
        Comparison
        | Approaches
        | Frontier
        | Multiplier
        | TrendAccount
        | Progress
        | TaskForecasts
        | Families
        | Emergence
        | TestTime
        | OnAxis
        | Supply,
        ...,
    ]:
        """What was found beside fits, forecasts and plans; each has findings of its own."""
        return (
            *self.multipliers, *self.comparisons, *self.approaches, *self.frontiers, *self.trends,
            *self.progress, *self.supplies, *self.tasks, *self.families, *self.emergences, *self.attempts,
            *self.axes,
        )  # fmt: skip

    @property
    def steps(self) -> tuple[str, ...]:
        """The commands that make what the report shows, from the study file on."""
        if self.study is None:
            return (self.command,)
        folder = shlex.quote(str(self.study.folder))
        verbs = ("fit {}", "check {}", "forecast {}", "sweep {} --target", "score {}", "plan {}")
        made = [f"allometry {verb.format(folder)}" for verb in verbs]
        return (f"allometry sweep study.toml --into {folder}", *made, self.command)

    @property
    def specification(self) -> str:
        """The text of study.toml; empty without a study."""
        return (self.study.folder / SPEC).read_text(encoding="utf-8") if self.study else ""

    def texts(self) -> list[tuple[str, str]]:
        """Each text that was trained on: its hash, and where it came from."""
        records = sorted((self.study.folder / "data").glob("*.json")) if self.study else []
        found = [json.loads(path.read_text(encoding="utf-8")) for path in records]
        return [
            (f"text {record['data_hash']}", f"{record['origin']}, SHA-256 {record['sha256']}")
            for record in found
        ]

    def findings(self, fit: Fit) -> list[Finding]:
        """What the checks say about a fit and the forecasts made with it."""
        if fit.fit_hash not in self._checked:
            made = [s.forecast for s in self.forecasts if s.forecast.fit_hash == fit.fit_hash]
            far = {f.code: f for forecast in made for f in check_forecast(forecast)}
            self._checked[fit.fit_hash] = [*check(fit), *far.values()]
        return self._checked[fit.fit_hash]

    def fit_of(self, forecast: Forecast) -> Fit | None:
        """The fit a forecast was made with, if it is here."""
        return next((fit for fit in self.fits if fit.fit_hash == forecast.fit_hash), None)


def gather(items: Item | Iterable[Item], command: str = "") -> Contents:
    """Sort the items by kind, and read what a study among them holds.

    Raises:
        InputError: If there is nothing, more than one study, or something a report cannot show.
    """
    given = [items] if isinstance(items, Item) else list(items)
    _refuse_unusable(given)
    studies, runs = _of_kind(given, Study), _of_kind(given, Runs)
    contents = Contents(
        name=runs[0].source if runs else "report",
        command=command or "allometry.write_report(items, path)",
        runs=runs[0] if runs else None,
        fits=_of_kind(given, Fit),
        plans=_of_kind(given, Plan),
        asked=_of_kind(given, Plan),
        forecasts=tuple(Stated(forecast=item) for item in _of_kind(given, Forecast)),
        comparisons=_of_kind(given, Comparison),
        approaches=_of_kind(given, Approaches),
        frontiers=_of_kind(given, Frontier),
        multipliers=_of_kind(given, Multiplier),
        tasks=_of_kind(given, TaskForecasts),
        families=_of_kind(given, Families),
        emergences=_of_kind(given, Emergence),
        attempts=tuple(item for item in given if isinstance(item, TestTime)),
        axes=tuple(item for item in given if isinstance(item, OnAxis)),
        trends=_of_kind(given, TrendAccount),
        progress=_of_kind(given, Progress),
        supplies=tuple(item for item in given if isinstance(item, Supply)),
    )
    return _with_study(contents, studies[0], command) if studies else contents


def _of_kind(given: Sequence[object], kind: type[Kind]) -> tuple[Kind, ...]:
    return tuple(item for item in given if isinstance(item, kind))


def _refuse_unusable(given: Sequence[object]) -> None:
    for item in given:
        if not isinstance(item, Item):
            kind = type(item).__name__
            raise InputError(
                "A report shows a Study, Runs, a Fit, a Plan, a Forecast, a Comparison, Approaches, an "
                "IsoFlopFit, an EnvelopeFit, a Multiplier, a TrendAccount, a Progress, TaskForecasts, "
                "Families, an Emergence, a PassForecast, a VoteCurve, a VerifierCurve, a ThinkingFit, a "
                "JointOptimum, an ExchangeCurve, ScoresAlong, a TransferLaw, Prices, Inputs, Walls or a "
                f"SampleEfficiency, not a {kind}."
            )
    for one in (Study, Runs):
        if sum(isinstance(item, one) for item in given) > 1:
            raise InputError(f"A report is about one {one.__name__}; write one report for each.")
    if not given:
        raise InputError("There is nothing to report; give a study, or a list such as [runs, fit, plan].")


def _with_study(given: Contents, study: Study, command: str) -> Contents:
    """What was given, and what the study's folder holds where nothing was."""
    spec, study = study.spec(), study.to_look_at()
    measured = study.runs() if given.runs is None else given.runs
    stored, unread = _stored_fits(study.folder / "fits", _asked_fits(spec))
    every = [*given.fits, *stored]
    registered, chain, broken = _register(study)
    planned, refusal = (list(given.plans), "") if given.plans else _plan(every, measured, spec)
    return replace(
        given,
        name=str(spec.get("name", study.folder.name)),
        command=command or f"allometry report {shlex.quote(str(study.folder))}",
        study=study,
        runs=measured,
        fits=tuple(every),
        plans=tuple(planned),
        forecasts=(*registered, *given.forecasts),
        comparisons=given.comparisons or judge_fits(every),
        problems=(*unread, *broken, *_unreadable(study)),
        no_plan_because=refusal,
        chain=chain,
    )


def _asked_fits(spec: dict[str, Any]) -> list[str]:
    """Names of the fits that study.toml asks for; the first one forecasts and plans."""
    return [str(entry.get("name") or entry.get("law", "")) for entry in spec.get("fits", [])]


def _stored_fits(folder: Path, asked: list[str]) -> tuple[list[Fit], list[Finding]]:
    """Those asked for first, in their order; then whatever else was saved there."""
    fits, unread = [], []
    place = {name: number for number, name in enumerate(asked)}
    for path in sorted(folder.glob("*.json"), key=lambda path: (place.get(path.stem, len(place)), path.stem)):
        try:
            fits.append(Fit.load(path))
        except InputError as error:
            unread.append(serious("unread_fit", str(error), "Fit again, or give the fit with the study."))
    return fits, unread


def _unreadable(study: Study) -> list[Finding]:
    return [
        serious("unreadable_run", f"Run {run_id} is in no number here: {why}", "Then write the report again.")
        for run_id, why in study.unreadable().items()
    ]


def _register(study: Study) -> tuple[list[Stated], str, list[Finding]]:
    try:
        entries, scores = read_register(study), score(study)
    except ForecastError as error:
        broken = serious("register_broken", str(error), "Do not rely on any forecast of this study.")
        return [], f"Broken: {error}", [broken]
    rows = [scores.iloc[place] for place in range(len(scores))]
    stated = [
        Stated(
            forecast=entry.forecast, number=entry.number, target=entry.target, stated=entry.stated,
            assumptions=entry.assumptions, outcome=row,
        )
        for entry, row in zip(entries, rows, strict=True)
    ]  # fmt: skip
    if not entries:
        return [], "Empty: no forecast has been registered.", []
    return stated, f"Whole: {len(entries)} stated, last hash {entries[-1].hash}.", []


def _plan(fits: list[Fit], runs: Runs, spec: dict[str, Any]) -> tuple[list[Plan], str]:
    if not fits:
        return [], ""
    largest = largest_flops(runs)
    if not math.isfinite(largest):
        return [], "the runs do not say how much compute they took"
    try:
        return [allocate(fits[0], flops=float(spec.get("plan_factor", PLAN_FACTOR)) * largest)], ""
    except (FitError, InputError, Refusal) as error:
        return [], str(error)
