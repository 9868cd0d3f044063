"""Forecast pass@k for more attempts than were made, with a range that holds the forms' disagreement.

Which form the tail of hard problems has cannot be told from few attempts, and it decides the forecast. The
median is that of a pool: the log-log line, whose draws are resamples of problems, gives LINE_SHARE of the
draws; the rest are draws of coefficients of the distributions in `FORMS`, each form as likely as its evidence
makes it. The range reaches over the interval of every form that the counts do not speak against: a pool's own
quantiles would leave out a tail that has little weight, and is as likely to be the true one.
The share was chosen by measurement on published counts and on simulated tails, the limit of the evidence
taken from the literature; benchmarks/attempts_forecasts.py prints what both do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from allometry.capabilities.attempts.counts import Counts, refuse_stopped
from allometry.capabilities.attempts.forms import (
    FORMS,
    distinct,
    likelihood,
    solved_by,
    tabulated,
    tabulated_weights,
)
from allometry.capabilities.attempts.line import lines, refuse_flat
from allometry.capabilities.attempts.passing import Array, log_spaced, pass_at
from allometry.errors import InputError
from allometry.fitting.checks.definition import note, warning
from allometry.fitting.result import Finding, middle

LINE = "log_log_line"
LINE_SHARE = 2 / 3
# Jeffreys 1961, Theory of Probability, appendix B: evidence of a lesser ratio is "not worth more than a bare
# mention".
SPOKEN_AGAINST = 10**-0.5
Problems = Literal["same", "new"]
_FAR = 1000.0  # times the attempts made: tenfold more than the forecasts that the default was chosen by


@dataclass(frozen=True, kw_only=True)
class FormForecast:
    """What one form says by itself.

    Attributes:
        weight: Its share of the pooled draws, which give the median.
        counted: Whether its interval lies inside the range: the counts do not speak against it.
    """

    median: float
    low: float
    high: float
    weight: float
    counted: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class PassForecast:
    """pass@k that has not been measured.

    Attributes:
        k: Attempts at every problem, those already made included, of shape (ks,).
        median, low, high: Of the same shape: of the pool, and over the intervals of all forms that count.
        forms: Each form by itself at the largest k.
        measured: pass@k up to the attempts made: k to value.
        problems: "same": what k attempts at each of these problems would show. "new": the expectation
            over problems such as these.
        exponent: b of the log-log line, with its ends.
    """

    k: tuple[int, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    forms: Mapping[str, FormForecast]
    measured: Mapping[int, float]
    exponent: tuple[float, float, float]
    problems: Problems
    count: int
    attempts: int
    source: str
    draws: int
    findings: tuple[Finding, ...]

    def summary(self) -> str:
        """The forecast in plain words."""
        kind = "these" if self.problems == "same" else "new"
        lines_ = [
            f"pass@k for {kind} problems, {self.level:.0%} interval",
            f"  from {self.attempts} attempts at each of {self.count} problems ({self.source})",
            *(
                f"  pass@{k:<7d} {mid:.3f}  {low:.3f} to {high:.3f}"
                for k, mid, low, high in zip(self.k, self.median, self.low, self.high, strict=True)
            ),
            f"  by form, at k = {self.k[-1]}:",
            *(
                f"    {name:<19s} {one.median:.3f}  {one.low:.3f} to {one.high:.3f}  weight {one.weight:.2f}"
                + ("" if one.counted else ", not in the range")
                for name, one in self.forms.items()
            ),
            "  -ln pass@k falls as k^-{:.3f} ({:.3f} to {:.3f})".format(*self.exponent),
        ]
        return "\n".join(lines_ + [f"  {one.severity}: {one.sentence} {one.remedy}" for one in self.findings])


def forecast_pass(
    counts: Counts,
    k: int | list[int] | tuple[int, ...],
    *,
    problems: Problems = "same",
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
) -> PassForecast:
    """Forecast pass@k for more attempts at each problem than were made.

    Args:
        k: One or more numbers of attempts, those already made included, above the most made at a problem.
        problems: Forecast what would be measured on the "same" problems, or the expectation over "new" ones.
        level: Share of outcomes that the interval is meant to hold.
        draws: In the pool.

    Raises:
        InputError: If k is not above the attempts made, the attempts ended on success, or fewer than eight
            problems or two attempts at each were given.
        FitError: If no attempt was right, or all were.

    >>> rng = np.random.default_rng(0)
    >>> counts = Counts.of(np.full(100, 50), rng.binomial(50, rng.beta(0.3, 3, 100)))
    >>> found = forecast_pass(counts, 5000, draws=200)
    >>> found.low[0] < found.median[0] < found.high[0]
    True
    """
    ks = tuple(sorted({int(one) for one in np.atleast_1d(k)}))
    _refuse(counts, ks, draws)
    rng = np.random.default_rng(seed)
    by_line, exponents = _line_draws(counts, ks, problems, draws, rng)
    by_form, evidence = _form_draws(counts, ks, problems, draws, rng)
    weights = {LINE: LINE_SHARE, **{name: (1 - LINE_SHARE) * share for name, share in evidence.items()}}
    every = {LINE: by_line, **by_form}
    pool = np.concatenate([every[name][: round(weights[name] * draws)] for name in every])
    counted = _counted(evidence)
    low, high = _reach([every[name] for name in counted], level)
    forms = {name: _alone(every[name][:, -1], level, weights[name], name in counted) for name in every}
    ends = middle(exponents, level)
    return PassForecast(
        k=ks,
        median=tuple(np.median(pool, axis=0).tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        level=level,
        forms=forms,
        measured=_measured(counts),
        exponent=(float(np.median(exponents)), float(ends[0]), float(ends[1])),
        problems=problems,
        count=len(counts),
        attempts=int(counts.attempts.min()),
        source=counts.source,
        draws=draws,
        findings=(*counts.findings, *_findings(forms, ks, counts)),
    )


def _refuse(counts: Counts, ks: tuple[int, ...], draws: int) -> None:
    refuse_stopped(counts)
    most = int(counts.attempts.max())
    if not ks or ks[0] <= most:
        raise InputError(
            f"A forecast is for more than the {most} attempts made at a problem, not for {ks}; "
            "up to there pass@k is measured: pass_curve(counts)."
        )
    if len(counts) < 8 or int(counts.attempts.min()) < 2:
        raise InputError(
            f"A forecast needs at least eight problems and two attempts at each, not {len(counts)} problems "
            f"and {int(counts.attempts.min())} attempts."
        )
    if draws < 50:
        raise InputError(f"A pool of {draws} draws is too small for an interval; give at least 50.")


def _line_draws(
    counts: Counts, ks: tuple[int, ...], problems: Problems, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The line refitted to resampled problems: pass@k of shape (draws, ks), and its exponents."""
    measured = log_spaced(int(counts.attempts.min()))
    each = pass_at(counts.attempts[:, None], counts.successes[:, None], measured[None, :])
    refuse_flat(each.mean(axis=0), counts)
    share = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=draws) / len(counts)
    intercept, slope = lines(measured, share @ each)
    passed = np.exp(-np.exp(intercept[:, None] + slope[:, None] * np.log(ks)))
    if problems == "new":
        return passed, -slope
    solved = counts.successes > 0
    # What is solved stays solved; of the rest a draw solves the share that its own curve still solves. Which
    # problems were drawn varies that share already, so it is not drawn a second time problem by problem.
    left = 1 - share @ solved
    missed = np.clip((1 - passed) / np.maximum(left, 1e-12)[:, None], 0.0, 1.0)
    return 1 - float((~solved).mean()) * missed, -slope


def _nested(rng: np.random.Generator, count: int, chances: Array) -> Array:
    """How many of some problems are solved at each k, more at larger k within a draw."""
    thresholds = rng.random((len(chances), count))
    return np.stack([(thresholds < chance[:, None]).sum(axis=1) for chance in chances.T], axis=1)


def _form_draws(
    counts: Counts, ks: tuple[int, ...], problems: Problems, draws: int, rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, float]]:
    """Draws of every distribution's posterior, of shape (draws, ks), and each one's share by evidence."""
    pairs, repeats = distinct(counts)
    made, evidence = {}, {}
    for name in FORMS:
        _, logs, _ = tabulated(name, pairs)
        total = logs @ repeats
        evidence[name] = float(total.max() + np.log(np.exp(total - total.max()).mean()))
        posterior = np.exp(total - total.max())
        places = rng.choice(len(total), size=draws, p=posterior / posterior.sum())
        weights, never = tabulated_weights(name, places)
        if problems == "new":
            made[name] = (1 - never)[:, None] * (weights @ solved_by(np.asarray(ks, np.float64)).T)
        else:
            made[name] = _same_problems(counts, ks, weights, never, rng)
    best = max(evidence.values())
    odds = {name: float(np.exp(value - best)) for name, value in evidence.items()}
    return made, {name: value / sum(odds.values()) for name, value in odds.items()}


def _same_problems(
    counts: Counts, ks: tuple[int, ...], weights: Array, never: Array, rng: np.random.Generator
) -> Array:
    """Share solved by k attempts in all: what is solved, and of the rest what more attempts would solve."""
    solved = np.full((len(weights), len(ks)), float((counts.successes > 0).sum()))
    unsolved = counts.attempts[counts.successes == 0]
    for n, repeated in zip(*np.unique(unsolved, return_counts=True), strict=True):
        missed = likelihood(np.array([[n, 0]]))[0]
        more = solved_by(np.asarray(ks, np.float64) - n)
        still = (1 - never)[:, None] * (weights @ (missed * more).T)
        chance = still / ((1 - never) * (weights @ missed) + never)[:, None]
        solved += _nested(rng, int(repeated), chance)
    return solved / len(counts)


def _counted(evidence: Mapping[str, float]) -> list[str]:
    """The line, and the forms whose evidence is not much less than that of the best."""
    best = max(evidence.values())
    return [LINE, *(name for name, share in evidence.items() if share >= SPOKEN_AGAINST * best)]


def _reach(draws: list[Array], level: float) -> tuple[Array, Array]:
    """From the lowest end of several forms' intervals to the highest, at each k."""
    ends = np.array([middle(one, level, axis=0) for one in draws])
    return ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)


def _alone(draws: Array, level: float, weight: float, counted: bool) -> FormForecast:
    low, high = middle(draws, level)
    return FormForecast(
        median=float(np.median(draws)), low=float(low), high=float(high), weight=weight, counted=counted
    )


def _measured(counts: Counts) -> dict[int, float]:
    ks = log_spaced(int(counts.attempts.min()), 12)
    mean = pass_at(counts.attempts[:, None], counts.successes[:, None], ks[None, :]).mean(axis=0)
    return {int(k): float(value) for k, value in zip(ks, mean, strict=True)}


def _findings(forms: Mapping[str, FormForecast], ks: tuple[int, ...], counts: Counts) -> list[Finding]:
    medians = {name: one.median for name, one in forms.items() if one.counted}
    low, high = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    found = []
    if (gap := medians[high] - medians[low]) > 0.1:
        found.append(
            warning(
                "forms_disagree",
                f"At k = {ks[-1]} the forms are {gap:.2f} apart: {low} says {medians[low]:.2f}, {high} "
                f"{medians[high]:.2f}; the counts cannot tell which tail is right.",
                "Make more attempts at the unsolved problems and at the solved ones alike.",
                {"gap": gap},
            )
        )
    if (far := ks[-1] / float(counts.attempts.min())) > _FAR:
        found.append(
            note("far_beyond", f"k = {ks[-1]} is {far:.0f} times the attempts made.", "", {"factor": far})
        )
    return found
