"""Commands on repeated attempts: pass@k, its forecast, votes, verifiers, tokens thought, exchange rates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

import allometry as al
from allometry.cli.application import Flag, Quantity, Words, app
from allometry.cli.experiments import Picture, WholeNumbers, attempts

tries = App(
    name="attempts",
    help="Count, forecast and judge repeated attempts; without a subcommand, let a run of a study make some.",
    sort_key=2.75,
)
tries.default(attempts)
app.command(tries)


@tries.command(name="pass")
def measured_pass(
    source: str, *, k: WholeNumbers = (), where: str = "", columns: Words = (), json: Flag = False
) -> int:
    """State pass@k as measured, unbiased, averaged over the problems of a table.

    Parameters
    ----------
    source
        A table of one row a problem, with attempts n and successes c; or published:NAME.
    k
        Numbers of attempts, for example 1,10,100; 25 up to n if not given.
    where
        SQL condition on the rows, for example "model = 'Pythia 12B'".
    columns
        How to read a column, theirs=ours; ours is problem, attempts or successes.
    json
        Print the curve and the findings as JSON.
    """
    from allometry.capabilities.attempts import pass_curve, read_counts
    from allometry.report.terminal import pairs, show

    counts = read_counts(source, columns=pairs(columns), where=where)
    curve = pass_curve(counts, list(k) or None)
    notes = [f"{one.severity}: {one.sentence} {one.remedy}" for one in counts.findings]
    text = "\n".join([curve.to_string(index=False, float_format="%.4f"), *notes])
    return show({"pass": curve, "findings": counts.findings}, text, json)


@tries.command
def forecast(
    source: str,
    *,
    k: WholeNumbers,
    problems: Literal["same", "new"] = "same",
    where: str = "",
    columns: Words = (),
    level: float = 0.9,
    draws: int = 1000,
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Forecast pass@k for more attempts than were made, with a range that holds the forms' disagreement.

    Parameters
    ----------
    source
        A table of one row a problem, with attempts n and successes c; or published:NAME.
    k
        Numbers of attempts, all above n, for example 1000,10000.
    problems
        The same problems, or the expectation over new ones of their kind.
    where
        SQL condition on the rows.
    columns
        How to read a column, theirs=ours.
    level
        Share of outcomes that the range is meant to hold.
    draws
        In the pool of forms.
    seed
        Of the draws.
    plot
        Where to save pass@k against k as a picture: a .svg or .png file.
    json
        Print the forecast as JSON.
    """
    from allometry.capabilities.attempts import forecast_pass, read_counts
    from allometry.plots.attempts import pass_against_attempts
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import pairs, show

    counts = read_counts(source, columns=pairs(columns), where=where)
    made = forecast_pass(counts, list(k), problems=problems, level=level, draws=draws, seed=seed)
    if plot:
        save_picture(pass_against_attempts(made), plot)
    return show(made, made.summary(), json)


@tries.command
def vote(
    source: str,
    *,
    k: WholeNumbers,
    weighted: Flag = False,
    columns: Words = (),
    seed: int = 0,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """State what a majority vote among k answers gets right, and where it ends.

    Parameters
    ----------
    source
        A table of one row an answer: problem, count, right (0 or 1), and weight for a weighted vote.
    k
        Numbers of answers, for example 1,5,25.
    weighted
        Weigh each vote by the column weight.
    columns
        How to read a column, theirs=ours.
    seed
        Of the draws.
    plot
        Where to save accuracy against answers as a picture: a .svg or .png file.
    json
        Print the curve and its limits as JSON.
    """
    from allometry.capabilities.voting import read_ballots
    from allometry.capabilities.voting import vote as voted
    from allometry.plots.attempts import votes_against_answers
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import pairs, show

    made = voted(read_ballots(source, columns=pairs(columns)), list(k), weighted=weighted, seed=seed)
    if plot:
        save_picture(votes_against_answers(made), plot)
    return show(made, made.summary(), json)


@tries.command
def verifier(
    *,
    chance: float,
    auc: float,
    n: WholeNumbers = (1, 10, 100, 1000),
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """State what the best of n brings by a verifier that errs, beside pass@n and one answer.

    Parameters
    ----------
    chance
        Of one answer being right.
    auc
        Chance that the verifier scores a right answer above a wrong one, from 0.5.
    n
        Answers to choose from, for example 1,10,100.
    plot
        Where to save the chances against n as a picture: a .svg or .png file.
    json
        Print the table as JSON.
    """
    from allometry.capabilities.verifiers import verifier_curve
    from allometry.plots.attempts import best_of_many
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import show

    made = verifier_curve(chance, n, auc=auc)
    if plot:
        save_picture(best_of_many(made), plot)
    return show(made.table, made.summary(), json)


@tries.command
def thinking(
    source: str,
    *,
    tokens: str = "tokens",
    accuracy: str = "accuracy",
    where: str = "",
    level: float = 0.9,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """State the points that each doubling of tokens thought brings, and where it ends.

    Parameters
    ----------
    source
        A table of one row a measurement.
    tokens
        Its column of tokens thought.
    accuracy
        Its column of accuracy, from 0 to 1.
    where
        SQL condition on the rows.
    level
        Of the ranges.
    plot
        Where to save accuracy against tokens as a picture: a .svg or .png file.
    json
        Print the fit as JSON.
    """
    from allometry.capabilities.thinking import fit_thinking
    from allometry.plots.attempts import accuracy_against_tokens
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import show

    runs = al.read_runs(source)
    runs = runs.where(where, because="asked for") if where else runs
    made = fit_thinking(runs.column(tokens), runs.column(accuracy), level=level)
    if plot:
        save_picture(accuracy_against_tokens(made), plot)
    return show(made, made.summary(), json)


@tries.command
def optimum(
    fit: Path,
    source: str,
    *,
    losses: Words,
    flops: Quantity,
    queries: Quantity,
    tokens: Quantity,
    score: Annotated[float | None, Parameter(show_default=False)] = None,
    level: float = 0.9,
    plot: Picture | None = None,
    json: Flag = False,
) -> int:
    """Split one budget between size, training tokens and attempts, with ranges; or trade them at a score.

    Parameters
    ----------
    fit
        A saved fit of 'chinchilla' with draws.
    source
        A table of attempts of several models at the same problems, with a column model.
    losses
        Loss of each model, name=loss; repeat it for at least three models.
    flops
        The budget of training and inference together.
    queries
        Problems that will be put to the model.
    tokens
        Generated at each attempt.
    score
        A pass@k; if given, also the training compute that reaches it at 1, 10, 100 … attempts.
    level
        Of the ranges.
    plot
        Where to save pass@k by size as a picture, a .svg or .png file; with --score training by attempts.
    json
        Print the optimum, and the exchange if asked for, as JSON.
    """
    from allometry.capabilities.attempts_by_model import passes_by_model
    from allometry.capabilities.exchange import Workload, exchange
    from allometry.capabilities.joint import joint_optimum
    from allometry.plots.attempts import training_against_attempts
    from allometry.plots.joint import score_against_size
    from allometry.plots.pictures import save_picture
    from allometry.report.terminal import pairs, show

    loaded, workload = al.Fit.load(fit), Workload(queries=queries, tokens=tokens)
    passes = passes_by_model(source, {name: float(loss) for name, loss in pairs(losses).items()})
    best = joint_optimum(loaded, passes, workload, flops=flops, level=level)
    found: dict[str, Any] = {"optimum": best}
    if score is not None:
        found["exchange"] = exchange(
            loaded, passes, workload, score=score, ks=[1, 10, 100, 1000], level=level
        )
    if plot:
        ways = found.get("exchange")
        save_picture(training_against_attempts(ways) if ways else score_against_size(best), plot)
    return show(found, "\n".join(one.summary() for one in found.values()), json)
