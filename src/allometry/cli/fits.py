"""Commands on a table of runs and its fits."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import allometry as al
from allometry.cli.application import EVERYTHING, Flag, Quantity, Selection, Words, app, chosen_runs

Objective = Literal["huber", "lad", "least_squares", "lower_envelope"]
Choice = Literal["floor", "objective", "convention", "run", "worst"]


@app.command(name="import", sort_key=3)
def import_(
    source: str,
    *,
    into: Path,
    columns: Words = (),
    format: str | None = None,  # noqa: A002  (what the signature agreed on is called)
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Read a table of runs made elsewhere, show how its columns were understood, save it in base units.

    Parameters
    ----------
    source
        A file, a folder of logs, or an address such as published:hoffmann2022; `allometry sources` lists all.
    into
        Where to write: a .csv or .parquet file.
    columns
        How to read a column, theirs=ours; may be repeated.
    format
        What the source is, where its name does not say: a name from `allometry sources`.
    dry_run
        Show the mapping, and write nothing.
    json
        Print the mapping as JSON.
    """
    from allometry.report.terminal import pairs, show
    from allometry.runs.importers.table import write_runs

    runs = al.read_runs(source, columns=pairs(columns), format=format)
    if not dry_run:
        write_runs(runs, into)
    return show(runs.mapping, al.describe_mapping(runs), json)


@app.command(sort_key=4)
def fit(
    source: str,
    *,
    law: str | None = None,
    selection: Selection = EVERYTHING,
    inputs: Words = (),
    output: str | None = None,
    hold: Words = (),
    objective: Objective = "huber",
    delta: float = 1e-3,
    on: Literal["log", "raw", "logit"] | None = None,
    weights: str | None = None,
    draws: int = 1000,
    unit: str = "run",
    strata: str | None = None,
    resampling: Literal["residuals", "wild", "pairs", "bayesian"] | None = None,
    workers: int = 1,
    posterior: Flag = False,
    prior: Words = (),
    seed: int = 0,
    save: Path | None = None,
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Fit a law to a table of runs, with intervals; or to a study all the laws that it asks for.

    Parameters
    ----------
    source
        A table of runs, or another source that `allometry sources` lists; or the folder or address
        (s3://bucket/study) of a study, whose study.toml then says what is fitted.
    law
        A name from `allometry laws`, FAMILY(ARGUMENTS), or FILE.py:NAME for one of your own. If not given:
        chinchilla, or of a study the laws of its study.toml; the other options go with a law.
    inputs
        The law's input = column, for example x=flops; may be repeated.
    output
        The column to predict, if it is not the law's own.
    hold
        A coefficient kept at a value, for example E=1.69; may be repeated.
    objective
        What is minimised, summed over runs.
    delta
        Residual beyond which a run's pull stays the same.
    on
        Compare logarithms, raw values or logits; the law's own scale if not given.
    weights
        A column of inverse variances.
    draws
        Resamples for the intervals.
    unit
        What shares its luck: run, row, trunk, setting (with the seeds in it), or a column.
    strata
        A column within whose values runs are drawn, such as the budgets of an IsoFLOP study.
    resampling
        How; if not given, the one that covers for so many runs.
    workers
        Threads for the resamples.
    posterior
        Sample a Bayesian posterior instead of resampling the runs; needs the extra allometry[bayes].
    prior
        What is believed of a coefficient beforehand, E=normal(1.7,0.1); may be repeated.
    seed
        Of starts and resamples.
    save
        Where to save the fit, as JSON.
    dry_run
        Show the runs that would be fitted, and fit nothing.
    json
        Print the fits as JSON.
    """
    from allometry.fitting.default_priors import describe_priors
    from allometry.fitting.priors import read_prior
    from allometry.report.terminal import pairs, quantities, say, show, show_fits
    from allometry.sweeps.fits import fit_study
    from allometry.sweeps.spec import is_study

    runs = chosen_runs(source, selection)
    say(al.describe_mapping(runs) if runs.mapping else runs.describe(), json)
    if dry_run:
        return show(runs, "", json)
    if is_study(source) and law is None:
        return show_fits(fit_study(al.Study.open(source), runs), json)
    found = al.fit(
        law or "chinchilla", runs, objective=objective, delta=delta, on=on, weights=weights,
        hold=quantities(hold), inputs=pairs(inputs), output=output, seed=seed,
    )  # fmt: skip
    if posterior or prior:
        beliefs = {name: read_prior(text) for name, text in pairs(prior).items()}
        found = al.posterior(found, priors=beliefs, draws=draws, seed=seed)
        say(describe_priors(found, beliefs).to_string(index=False), json)
    else:
        found = al.bootstrap(
            found, draws=draws, unit=unit, strata=strata, resampling=resampling, workers=workers, seed=seed
        )
    if save:
        found.save(save)
    return show_fits({found.law.name: found}, json)


@app.command(sort_key=4.5)
def refit(source: Path, *, law: str = "", json: Flag = False) -> int:
    """Make a saved fit again from the runs stored in it, draws included, and say whether every digit agrees.

    Parameters
    ----------
    source
        A saved fit.
    law
        FILE.py:NAME of its law, if it is one of your own.
    json
        Print the comparison as JSON.
    """
    from allometry.fitting.reproducing import reproduce
    from allometry.report.terminal import show
    from allometry.sweeps.fits import main_fit

    found = reproduce(main_fit(source, law=law))
    return show(found, found.describe(), json) or int(not found.identical)


@app.command(sort_key=5)
def check(source: Path, *, law: str = "", json: Flag = False) -> int:
    """Look for what makes a fit misleading, and say it in plain words.

    Parameters
    ----------
    source
        A saved fit, or the folder or address (s3://bucket/study) of a study with fits.
    law
        FILE.py:NAME of the law of a saved fit, if it is one of your own.
    json
        Print the findings as JSON.
    """
    from allometry.report.terminal import show_findings
    from allometry.sweeps.fits import load_fits

    return show_findings({name: al.check(one) for name, one in load_fits(source, law=law).items()}, json)


@app.command(sort_key=5.1)
def sensitivity(source: Path, *, to: Choice, at: Words = (), law: str = "", json: Flag = False) -> int:
    """Fit a law again with one choice changed at a time, and show how coefficients and forecast move.

    Parameters
    ----------
    source
        A saved fit, or the folder or address (s3://bucket/study) of a study with fits.
    to
        What is changed: the floor E, each held in turn; the objective; the convention in which params or
        flops are counted; the run left out; or how many of the worst-fitted runs are left out.
    at
        Where the forecast is made, input=value, for example params=70B; may be repeated. Ten times the
        compute of the largest run if not given.
    law
        FILE.py:NAME of the law of a saved fit, if it is one of your own.
    json
        Print the table as JSON.
    """
    from allometry.fitting.prediction import by_law
    from allometry.fitting.sensitivity import CHOICES
    from allometry.report.terminal import quantities, show_table
    from allometry.sweeps.fits import main_fit

    found = main_fit(source, law=law)
    return show_table(CHOICES[to](found, by_law(found, quantities(at)) if at else None), json)


@app.command(sort_key=5.15)
def interval(
    source: Path,
    name: str = "",
    *,
    at: Words = (),
    flops: Quantity | None = None,
    level: float = 0.9,
    law: str = "",
    json: Flag = False,
) -> int:
    """State how far a number can go before the runs speak against it: its profile-likelihood interval.

    Parameters
    ----------
    source
        A saved fit, or the folder or address (s3://bucket/study) of a study with fits.
    name
        A coefficient; or, with --flops, params or tokens of the compute-optimal run.
    at
        Instead of a name: where the law itself is asked about, input=value; may be repeated.
    flops
        The budget of the compute-optimal run.
    level
        Of the interval.
    law
        FILE.py:NAME of the law of a saved fit, if it is one of your own.
    json
        Print value and interval as JSON.
    """
    from allometry.fitting.prediction import by_law
    from allometry.report.terminal import describe_estimate, quantities, show
    from allometry.sweeps.fits import main_fit

    found = main_fit(source, law=law)
    place = by_law(found, quantities(at)) if at else None
    made = al.likelihood_interval(found, name, at=place, flops=flops, level=level)
    return show(made, describe_estimate(name or found.output, made, level), json)
