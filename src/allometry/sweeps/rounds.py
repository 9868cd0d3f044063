"""`sweep_until`: design, train, fit, in rounds, until a rule says that the forecast is sharp enough.

Each round is a file of the study before its first run, see `allometry.sweeps.round_files`: a loop that was
killed goes on with the round it was in, and a second loop on the same study makes the rounds of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from allometry.errors import FitError, Refusal
from allometry.fitting.result import Fit
from allometry.fitting.solve import fit
from allometry.fitting.uncertainty import bootstrap
from allometry.laws import read_law
from allometry.runs.run import Runs
from allometry.runs.study import Study
from allometry.sweeps.closing import Closing, closing
from allometry.sweeps.designs import Design, Planned
from allometry.sweeps.designs.informative import (
    ForecastOf,
    belief_from_fit,
    belief_from_law,
    candidates_of,
    informative,
)
from allometry.sweeps.designs.informative.candidates import Options
from allometry.sweeps.fits import fitted_runs, selected_runs, target_inputs
from allometry.sweeps.leftovers import Asked, ended, left_of, partway
from allometry.sweeps.round_files import Round, read_asked, state_round
from allometry.sweeps.spec import FitSpec, StudySpec, read_spec
from allometry.sweeps.until import Until
from allometry.units import show_count, show_power

LEVEL = 0.9  # of the interval whose width is meant
_SEEDS = 4  # of the cheapest run besides its own: without repeats the noise is a guess from few residuals
_BEYOND_COEFFICIENTS = 3  # first runs more than the law has coefficients: a fit needs some to be wrong by
_FIRST_NOISE = 0.005  # of the log loss, until runs say it
_WITHIN = 0.99  # of the wanted width is planned for: what is found wanting then is a small round
_DRAWS = 300


def sweep_until(study: Study, until: Until, *, train: Callable[[Design], Runs]) -> list[Round]:
    """Train only those runs of a study's design that its forecast needs, in rounds.

    The learning-rate checks come first. The first round holds the runs that a law believed at its typical
    coefficients learns most from per FLOP, and repeated seeds of the cheapest run. After it the study's laws
    are fitted, all runs are chosen that are expected to bring the forecast of the study's target to the
    wanted width, and the cheapest of them are made, for at most as much compute as all rounds before, and
    less where little width is missing (`Until.round_flops`): what they show decides whether the dear ones
    are made at all. Several loops on one study, by whatever rules, make the same rounds: each goes on with
    the one that was stated first, and ends when its own rule fires.

    Args:
        until: When to stop.
        train: Makes the runs of a design in the study, for example
            `lambda design: run_sweep(design, study)`.

    Returns:
        All rounds of the study, earlier sittings included; the last one asks for no run and says why.

    Raises:
        RecipeError: If the study has no target.
        Refusal: If its learning-rate checks fail.
    """
    spec = read_spec(study)
    loop = _Loop.of(study, spec, until, _checked(study, spec, train))
    rounds = read_asked(study)  # a loop that ended may go on by another rule
    while not rounds or rounds[-1].runs:
        last = loop.over(rounds)
        if rounds and not last and (left := loop.left(rounds[-1])):
            train(Asked(left))
        rounds = _with(study, rounds, last or loop.next(rounds))
    return rounds


def _with(study: Study, rounds: Sequence[Round], made: Round) -> list[Round]:
    """The rounds and the next one: another loop's if that was faster, but its own where its rule fires."""
    if made.runs:
        return [*rounds, state_round(study, made)]
    asked = read_asked(study)
    return [*asked, state_round(study, replace(made, number=len(asked) + 1))]


def judge_forecast(study: Study) -> Closing | None:
    """What the runs of a study say of the forecast that `sweep_until` chose them for; None before they fit.

    A rule such as "width < 1%" fires by what the law believes of itself, whether or not the law is right.

    Raises:
        RecipeError: If the study has no target.
    """
    spec = read_spec(study)
    loop = _Loop.of(study, spec, Until(), spec.design.recipes(study.runs()))
    fitted = loop.fits()
    if not fitted:
        return None
    return closing(fitted, loop.aim().inputs, level=LEVEL, larger=_larger(loop.stated, ended(study)))


def _larger(stated: Sequence[Planned], there: Collection[str]) -> str:
    """The largest run of the design, if it is not made, in words; else empty."""
    run = max(_runs_of(stated), key=lambda one: one.recipe.flops()).recipe
    if run.run_id in there:
        return ""
    size, tokens = show_count(run.architecture.params()), show_count(run.tokens)
    return f"{run.run_id} ({size} parameters on {tokens} tokens, {show_power(run.flops())} FLOP)"


def next_round(study: Study, until: Until) -> tuple[Round, Asked]:
    """What `sweep_until` would make next, and its runs that are not made yet; writes and trains nothing.

    Before the first round these are the learning-rate checks, as round 0; after a loop was killed, what is
    left of the round it was in.

    Raises:
        RecipeError: If the study has no target.
    """
    spec = read_spec(study)
    spec.target_design()
    stated, there = spec.design.recipes(study.runs()), ended(study)
    if checks := [one for one in _checks_of(stated) if one.recipe.run_id not in there]:
        return _round_of_checks(checks), Asked(checks)
    loop, rounds = _Loop.of(study, spec, until, stated), read_asked(study)
    if last := loop.over(rounds):
        return last, Asked([])
    if rounds and (left := loop.left(rounds[-1])):
        return rounds[-1], Asked(left)
    made = loop.next(rounds)
    return made, Asked(loop.left(made))


def _round_of_checks(checks: Sequence[Planned]) -> Round:
    return Round(
        number=0,
        runs=tuple(one.recipe.run_id for one in checks),
        flops=sum(one.own_flops for one in checks),
        width=None,
        expected=None,
        because="learning-rate checks come before the first round, whose runs take their rates from them",
    )


@dataclass(frozen=True, kw_only=True)
class _Loop:
    """What does not change from round to round."""

    study: Study
    spec: StudySpec
    until: Until
    stated: Sequence[Planned]
    repeats: Sequence[Planned]

    @classmethod
    def of(cls, study: Study, spec: StudySpec, until: Until, stated: Sequence[Planned]) -> _Loop:
        """Over the runs of a design, as it states them once its learning-rate checks have ended."""
        if not _runs_of(stated):
            raise Refusal(
                f"A learning-rate check of {study.folder} failed, and the runs wait for it; see: "
                f"allometry status {study.folder}"
            )
        return cls(study=study, spec=spec, until=until, stated=stated, repeats=_repeats(stated))

    def left(self, made: Round) -> list[Planned]:
        """What is left to make of a round, trunks first."""
        known = {one.recipe.run_id: one for one in (*self.stated, *self.repeats)}
        missing = [run_id for run_id in made.runs if run_id not in known]
        if missing:
            raise Refusal(
                f"Round {made.number} asks for run {missing[0]}, which the design in study.toml no longer "
                "has; put the design back, or delete that file in rounds/ to choose anew."
            )
        return left_of([known[run_id] for run_id in made.runs], self.study)

    def over(self, rounds: Sequence[Round]) -> Round | None:
        """The end, if the rounds that are stated, perhaps by another loop, exceed this one's compute."""
        spent = sum(one.flops for one in rounds)
        if spent <= self.until.flops:
            return None
        step = _Step(number=len(rounds) + 1, spent=spent, width=self._width(self.fits()))
        most = show_power(self.until.flops)
        return step.last(f"Done: the rounds of this study take {show_power(spent)} FLOP, above {most}.")

    def next(self, rounds: Sequence[Round]) -> Round:
        """The next round; one without runs if the rule fired or nothing is left to run."""
        fitted = self.fits()
        spent = sum(one.flops for one in rounds)
        step = _Step(number=len(rounds) + 1, spent=spent, width=self._width(fitted))
        if step.width is not None and (why := self.until.fired(width=step.width, gain=np.inf)):
            return step.last(f"Done: {why}.")
        there = ended(self.study)
        if all(one.recipe.run_id in there for one in _runs_of(self.stated)):
            return step.last("Every run of the design is made; give it more sizes or horizons.")
        options = candidates_of(self._choice(), done=there, partway=partway(self.study))
        made = self._chosen(step, options, fitted) if fitted else self._first(step, options, there)
        if step.spent + made.flops <= self.until.flops:
            return made
        return step.last(
            f"Done: {show_power(step.spent)} FLOP are spent, and the next runs, of {show_power(made.flops)} "
            f"FLOP, would take that above {show_power(self.until.flops)}."
        )

    def _chosen(self, step: _Step, options: Options, fitted: Sequence[Fit]) -> Round:
        """The cheapest part of what is expected to reach the width, or of what doubles the compute."""
        candidates, beliefs, aim = options.candidates, [belief_from_fit(one) for one in fitted], self.aim()
        again = max(step.spent, candidates.cheapest)
        found = informative(candidates, aim, beliefs, flops=again, level=LEVEL, measured=step.width)
        gain = 1 - found.width_after / found.width_before
        if why := self.until.fired(width=np.inf, gain=gain):
            return step.last(f"Done: {why}.")
        if self.until.width:
            wanted = _WITHIN * self.until.width
            found = informative(candidates, aim, beliefs, width=wanted, level=LEVEL, measured=step.width)
        most = min(self.until.round_flops(again, width=step.width), self.until.flops - step.spent)
        part = candidates.cheapest_part(found.picks, most)
        if not part:
            return step.last("No run of the design is expected to narrow the interval; give it larger sizes.")
        because = f"{len(part)} of {len(found.picks)} runs expected to bring it to {found.width_after:.2%}"
        return step.asking(options, part, found.width_after, because)

    def _choice(self) -> list[Planned]:
        """The runs as the trainer makes them: one that begins at no checkpoint of another shares no trunk."""
        return [one for one in self.stated if self.spec.trainer.branches or one.design != "trunk"]

    def _first(self, step: _Step, options: Options, there: Collection[str]) -> Round:
        """Enough runs for a fit, chosen by the law at its typical coefficients, and repeated seeds."""
        main = self.spec.fits[0]
        law = read_law(main.law)
        belief = belief_from_law(law, noise=_FIRST_NOISE, columns=main.inputs)
        least = min(len(law.names) + _BEYOND_COEFFICIENTS, len(options.candidates))
        picks = informative(options.candidates, self.aim(), [belief], least=least, level=LEVEL).picks
        made = step.asking(options, picks, None, "what the law at typical coefficients learns most from")
        seeds = [one for one in self.repeats if one.recipe.run_id not in there]
        return replace(
            made,
            runs=(*made.runs, *(one.recipe.run_id for one in seeds)),
            flops=made.flops + sum(one.own_flops for one in seeds),
        )

    def aim(self) -> ForecastOf:
        """The run that the study forecasts."""
        return ForecastOf(inputs=target_inputs(self.study))

    def fits(self) -> list[Fit]:
        """The study's laws of the same inputs, the main one first; none before that one fits."""
        runs = selected_runs(self.study) if len(self.study.runs()) else Runs.of([])
        main, *others = self.spec.fits
        try:
            found = [_made(main, runs)]
        except FitError:
            return []
        for one in others:
            if not one.where and read_law(one.law).reads == found[0].law.reads:
                with suppress(FitError):  # a law with more coefficients joins once there are runs for it
                    found.append(_made(one, runs))
        return found

    def _width(self, fitted: Sequence[Fit]) -> float | None:
        if not fitted:
            return None
        at = {name: value for name, value in self.aim().inputs.items() if name in fitted[0].inputs.values()}
        forecast = fitted[0].predict(LEVEL, **at)
        width = (forecast.high - forecast.low) / forecast.median
        return float(width) if np.isfinite(width) else None


@dataclass(frozen=True, kw_only=True)
class _Step:
    """Where the loop stands before a round."""

    number: int
    spent: float
    width: float | None

    def asking(self, options: Options, picks: Sequence[int], expected: float | None, because: str) -> Round:
        return Round(
            number=self.number,
            runs=options.asked(picks),
            flops=options.candidates.cost(picks),
            width=self.width,
            expected=expected,
            because=because,
        )

    def last(self, because: str) -> Round:
        return Round(number=self.number, runs=(), flops=0.0, width=self.width, expected=None, because=because)


def _made(spec: FitSpec, runs: Runs) -> Fit:
    chosen = fitted_runs(spec, runs) if len(runs) else runs
    found = fit(spec.law, chosen, inputs=spec.inputs or None, objective=spec.objective)
    return bootstrap(found, draws=min(spec.draws, _DRAWS))


def _checked(study: Study, spec: StudySpec, train: Callable[[Design], Runs]) -> list[Planned]:
    """All runs of the design, stated once its learning-rate checks have ended."""
    spec.target_design()  # refuses a study without a target before anything is trained
    checks = _checks_of(spec.design.recipes(study.runs()))
    return spec.design.recipes(train(Asked(checks)) if checks else study.runs())


def _checks_of(stated: Sequence[Planned]) -> list[Planned]:
    return [one for one in stated if one.design == "learning_rate_check"]


def _runs_of(stated: Sequence[Planned]) -> list[Planned]:
    return [one for one in stated if one.design not in ("trunk", "learning_rate_check")]


def _repeats(stated: Sequence[Planned]) -> list[Planned]:
    """The cheapest run by other seeds, trained straight."""
    cheapest = min(_runs_of(stated), key=lambda one: one.recipe.flops())
    first = cheapest.recipe.seed + 1
    seeds = range(first, first + _SEEDS)
    return [replace(cheapest, recipe=replace(cheapest.recipe, seed=seed, parent="")) for seed in seeds]
