"""The parts of a report on repeated attempts: forecasts of pass@k, tokens thought, one budget for both."""

from __future__ import annotations

from allometry.capabilities.attempts.forecasting import PassForecast
from allometry.capabilities.exchange import ExchangeCurve
from allometry.capabilities.joint import JointOptimum
from allometry.capabilities.thinking import ThinkingFit
from allometry.capabilities.verifiers import VerifierCurve
from allometry.capabilities.voting import VoteCurve
from allometry.plots.attempts import (
    accuracy_against_tokens,
    best_of_many,
    forecast_words,
    pass_against_attempts,
    training_against_attempts,
    votes_against_answers,
)
from allometry.plots.joint import score_against_size
from allometry.report.contents import TestTime
from allometry.report.figure import as_figure
from allometry.report.numbers import count, estimate, interval, percent, places, power
from allometry.report.section import Section
from allometry.report.tables import Table, number, words


def attempts_section(found: TestTime, place: int) -> Section:
    """One result on test-time compute.

    Args:
        place: Among those of the report, from 1.
    """
    match found:
        case PassForecast():
            return _forecast(found, f"attempts-{place}")
        case ThinkingFit():
            return _thinking(found, f"attempts-{place}")
        case ExchangeCurve():
            return _exchange(found, f"attempts-{place}")
        case VoteCurve():
            return _votes(found, f"attempts-{place}")
        case VerifierCurve():
            return _verifier(found, f"attempts-{place}")
        case _:
            return _optimum(found, f"attempts-{place}")


def _forecast(found: PassForecast, slug: str) -> Section:
    level = f"{100 * found.level:g}% interval"
    rows = tuple(
        (count(k), places(mid, 3), interval(low, high, lambda value: places(value, 3)))
        for k, mid, low, high in zip(found.k, found.median, found.low, found.high, strict=True)
    )
    forms = tuple(
        (
            name.replace("_", " ") + ("" if one.counted else " (not in the range)"),
            places(one.median, 3),
            interval(one.low, one.high),
            percent(one.weight, 2),
        )
        for name, one in found.forms.items()
    )
    return Section(
        slug=slug,
        title="More attempts at the same task",
        sentences=(forecast_words(found),),
        figures=(as_figure(pass_against_attempts(found)),),
        tables=(
            Table(
                title="pass@k, forecast",
                headers=(number("attempts k"), number("pass@k"), number(level)),
                rows=rows,
                note=f"From {found.attempts} attempts at each of {found.count} problems; for "
                f"{'those' if found.problems == 'same' else 'new'} problems.",
            ),
            Table(
                title=f"By form, at k = {found.k[-1]}",
                headers=(words("form"), number("pass@k"), number(level), number("share of the draws")),
                rows=forms,
            ),
        ),
        findings=found.findings,
    )


def _votes(found: VoteCurve, slug: str) -> Section:
    rows = tuple(
        (count(row["k"]), places(row["accuracy"], 3), places(row["standard_error"], 3))
        for row in found.table.to_dict("records")
    )
    headers = (number("answers k"), number("accuracy"), number("standard error"))
    return Section(
        slug=slug,
        title="A vote among answers",
        sentences=(found.summary().splitlines()[-1],),
        notes=("A perfect chooser finds a right answer wherever one was given, as pass@k counts it.",),
        figures=(as_figure(votes_against_answers(found)),),
        tables=(Table(title="Accuracy of the vote", headers=headers, rows=rows),),
    )


def _verifier(found: VerifierCurve, slug: str) -> Section:
    rows = tuple(
        (count(row["n"]), *(places(row[name], 3) for name in ("best_of_n", "pass_at_n", "kl_nats")))
        for row in found.table.to_dict("records")
    )
    headers = (
        number("answers n"),
        number("best of n"),
        number("pass@n"),
        number("divergence, at most", "nat"),
    )
    chart = best_of_many(found)
    return Section(
        slug=slug,
        title="Choosing by a verifier that errs",
        sentences=(chart.description,),
        notes=("Errors of a real verifier repeat over answers of a problem: these are upper bounds.",),
        figures=(as_figure(chart),),
        tables=(Table(title="Best of n", headers=headers, rows=rows),),
    )


def _thinking(found: ThinkingFit, slug: str) -> Section:
    return Section(
        slug=slug,
        title="Accuracy against tokens thought",
        sentences=(found.summary().splitlines()[0] + ".",),
        figures=(as_figure(accuracy_against_tokens(found)),),
        findings=found.findings,
    )


def _exchange(found: ExchangeCurve, slug: str) -> Section:
    rows = tuple(
        (count(k), power(train), interval(low, high, power), power(served))
        for k, train, low, high, served in zip(
            found.k.tolist(), found.train.tolist(), found.train_low.tolist(), found.train_high.tolist(),
            found.inference.tolist(), strict=True,
        )
    )  # fmt: skip
    headers = (
        number("attempts k"), number("training", "FLOP"), number(f"{100 * found.level:g}% range", "FLOP"),
        number("inference", "FLOP"),
    )  # fmt: skip
    return Section(
        slug=slug,
        title="Training against attempts",
        sentences=(f"Each row reaches a pass@k of {found.score:g}.",),
        figures=(as_figure(training_against_attempts(found)),),
        tables=(Table(title="Ways to one score", headers=headers, rows=rows),),
    )


def _optimum(found: JointOptimum, slug: str) -> Section:
    rows = (
        ("parameters", estimate(found.params), "1"),
        ("training tokens", estimate(found.tokens), "token"),
        ("attempts k", estimate(found.k), "1"),
        ("pass@k", estimate(found.score, lambda value: places(value, 3)), "1"),
        ("share spent on inference", estimate(found.inference_share, percent), "1"),
        ("best size if only training counted", estimate(found.training_only), "1"),
    )
    headers = (words("quantity"), number(f"value ({100 * found.level:g}% range)"), words("unit"))
    spent = f"{power(found.flops)} FLOP of training and inference together"
    return Section(
        slug=slug,
        title="One budget for training and attempts",
        sentences=(f"{spent} is best split as below; every range is of optima, one a draw.",),
        figures=(as_figure(score_against_size(found)),),
        tables=(Table(title="Joint optimum", headers=headers, rows=rows),),
        findings=found.findings,
    )
