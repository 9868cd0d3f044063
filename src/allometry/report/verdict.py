"""The first box of a report: the forecast and its outcome, the plan, the red flags, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from allometry.fitting import Finding, Severity
from allometry.fitting.checks.definition import worst_first
from allometry.forecasts.scoring import describe_score
from allometry.planning.allocation import Plan
from allometry.report.contents import Contents, Stated
from allometry.report.laws_compared import best_words
from allometry.report.numbers import (
    beyond_words,
    count,
    estimate,
    forecast_words,
    inputs_words,
    places,
    power,
    short,
)
from allometry.report.optima import exponent_words, spread_words

Kind = Literal["good", "bad", "open", "plain"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the verdict: a label, a sentence that carries the numbers, and what to know with it."""

    kind: Kind
    label: str
    text: str
    detail: str = ""


_NOTHING_FITTED = Line(
    kind="open", label="Fit", text="Nothing has been fitted yet, so there is nothing to check."
)


def verdict(contents: Contents) -> list[Line]:
    """What a reader should know first, in order of weight."""
    return [*_forecast_lines(contents), *_plan_lines(contents), *_result_lines(contents), *_flags(contents)]


def shown_forecasts(contents: Contents) -> list[Stated]:
    """One forecast a target: the one that counts, else the last one stated."""
    chosen: dict[tuple[str, str], Stated] = {}
    for stated in contents.forecasts:
        key = (stated.target or f"#{stated.number}{stated.forecast.fit_hash}", stated.forecast.output)
        before = chosen.get(key)
        if before is None or not _counts(before) or _counts(stated):
            chosen[key] = stated
    return list(chosen.values())


def all_findings(contents: Contents) -> list[Finding]:
    """Findings about the study and its main fit, worst first; other results tell theirs themselves."""
    return worst_first([*contents.problems, *(contents.findings(contents.main) if contents.main else [])])


def _counts(stated: Stated) -> bool:
    return stated.outcome is not None and bool(stated.outcome["counts"])


def _forecast_lines(contents: Contents) -> list[Line]:
    lines = [_forecast_line(stated) for stated in shown_forecasts(contents)]
    if not lines and contents.study is None and contents.results:
        return []
    return lines or [Line(kind="open", label="Forecast", text=_no_forecast(contents))]


def _no_forecast(contents: Contents) -> str:
    if contents.chain.startswith("Broken"):
        return "The register of forecasts is damaged, so none of them is shown."
    if contents.study is not None and "target" in contents.study.spec():
        return "This study names a target run, and no forecast for it has been registered yet."
    return "No forecast was stated."


def _forecast_line(stated: Stated) -> Line:
    said = f"{forecast_words(stated.forecast)} for {inputs_words(stated.forecast)}, by {stated.forecast.law}."
    far = f"Of the largest fitted run: {beyond_words(dict(stated.forecast.beyond))}."
    if stated.outcome is None:
        return Line(kind="open", label="Forecast", text=said, detail=f"{far} It is in no register.")
    if stated.measured is None:
        waiting = f"No outcome: {stated.outcome['status']}."
        return Line(kind="open", label="Forecast", text=said, detail=f"{waiting} {far}")
    measured = f"{said[:-1]}; measured {places(stated.measured, 3)}."
    kind: Kind = "good" if _holds(stated) else "bad"
    detail = describe_score(stated.outcome)
    return Line(kind=kind, label="Forecast", text=measured, detail=f"{detail[0].upper()}{detail[1:]}.")


def _holds(stated: Stated) -> bool:
    inside = None if stated.outcome is None else stated.outcome["inside"]
    return _counts(stated) and inside is not pd.NA and bool(inside)


def _plan_lines(contents: Contents) -> list[Line]:
    lines = [_plan_line(plan) for plan in contents.plans]
    if not lines and contents.no_plan_because:
        return [Line(kind="open", label="Plan", text=f"No plan: {contents.no_plan_because}")]
    return lines


def _plan_line(plan: Plan) -> Line:
    text = (
        f"{power(plan.flops)} FLOP: {estimate(plan.params)} parameters, {estimate(plan.tokens)} tokens, "
        f"{plan.output.replace('_', ' ')} {estimate(plan.loss, lambda v: places(v, 3))} {plan.loss.unit}."
    )
    near = f"{count(plan.near.params_low)} to {count(plan.near.params_high)}"
    missing = f"No ranges because {plan.no_interval_because}."
    ranges = missing if plan.no_interval_because else f"Ranges: {100 * plan.level:g}%."
    detail = (
        f"{ranges} {near} parameters are predicted within {short(100 * plan.near.tolerance)}% of the "
        f"least. Of the largest fitted run: {beyond_words(dict(plan.beyond))}."
    )
    return Line(kind="plain", label="Plan", text=text, detail=detail)


def _result_lines(contents: Contents) -> Iterator[Line]:
    for recipes in contents.multipliers:
        yield Line(kind="plain", label="Recipes", text=recipes.verdict)
    for laws in contents.comparisons:
        yield Line(kind="plain", label="Laws", text=best_words(laws), detail=_first_warning(laws.findings))
    for approaches in contents.approaches:
        warned = _first_warning(approaches.findings)
        yield Line(kind="plain", label="Best size", text=spread_words(approaches), detail=warned)
    for frontier in contents.frontiers:
        yield Line(kind="plain", label="Best size", text=exponent_words(frontier))


def _first_warning(findings: Sequence[Finding]) -> str:
    found = worst_first([finding for finding in findings if finding.severity is not Severity.NOTE])
    return found[0].sentence if found else ""


def _flags(contents: Contents) -> list[Line]:
    found = all_findings(contents)
    told = [finding for result in contents.results for finding in result.findings]
    serious = [finding for finding in [*found, *told] if finding.severity is Severity.SERIOUS]
    if serious:
        sentences = dict.fromkeys(finding.sentence for finding in serious)
        return [Line(kind="bad", label="Red flags", text=" ".join(sentences))]
    if contents.main is None:
        return [] if contents.results else [_NOTHING_FITTED]
    warnings = [finding for finding in found if finding.severity is Severity.WARNING]
    text = "No red flags." if not warnings else f"No red flags; {len(warnings)} to keep in mind."
    said = " ".join(finding.sentence for finding in warnings)
    return [Line(kind="plain", label="Checks", text=text, detail=said)]
