"""Whatever a table holds ends in a fit with finite numbers and findings, or in a refusal of one sentence."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import allometry as al
from allometry.errors import AllometryError
from allometry.fitting import Finding, Fit, FitStatus, Severity, check_forecast
from allometry.fitting.scales import transform
from allometry.laws import LAWS, Coefficient, Law, law
from allometry.laws.mathematics import log

CPU_SECONDS = 60  # of one table, all steps together: beyond that it hangs
DRAWS = 20

few = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
many = settings(few, max_examples=1000, derandomize=False)

_A = Coefficient(name="a", meaning="a number", unit="1", low=0.1, high=10.0)
_B = Coefficient(name="b", meaning="another", unit="1", low=0.1, high=10.0)
_EXAMPLE = {"source": "an example", "coefficients": (_A, _B)}


@law(reads=("params", "tokens"), **_EXAMPLE)  # type: ignore[arg-type]  # mypy does not look into the dict
def without_a_value(N, D, *, a, b):  # type: ignore[no-untyped-def]
    "Undefined everywhere: the logarithm of a negative number."
    return log(-a * N) + b * D


@law(reads=("params",), **_EXAMPLE)  # type: ignore[arg-type]
def constant(N, *, a, b):  # type: ignore[no-untyped-def]
    "No input enters, and the coefficients only together."
    return a + b


@law(reads=("params", "tokens"), **_EXAMPLE)  # type: ignore[arg-type]
def one_input_only(N, D, *, a, b):  # type: ignore[no-untyped-def]
    "Tokens are read and not used."
    return a + b / N


@law(reads=("params",), **_EXAMPLE)  # type: ignore[arg-type]
def one_coefficient_only(N, *, a, b):  # type: ignore[no-untyped-def]
    "The second coefficient is never used."
    return a / N


ODD_LAWS = (without_a_value, constant, one_input_only, one_coefficient_only)
Change = Callable[[pd.DataFrame, str, np.random.Generator], pd.DataFrame]


def as_measured(chosen: Law, runs: int, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    """Runs all over the ordinary range of a law's inputs, with noise on its own scale."""
    spread = {one.name: rng.random(runs) for one in chosen.inputs}
    table = pd.DataFrame(
        {
            one.name: one.low * (one.high / one.low) ** spread[one.name]
            if one.positive
            else one.low + spread[one.name] * (one.high - one.low)
            for one in chosen.inputs
        }
    )
    if chosen in ODD_LAWS:
        return table.assign(**{chosen.predicts: 2 + rng.random(runs)})
    true = np.broadcast_to(
        chosen.evaluate({name: table[name] for name in chosen.reads}, chosen.typical), (runs,)
    )
    odds = true / (1 - true) * np.exp(noise * rng.standard_normal(runs)) if chosen.on == "logit" else true
    measured = odds / (1 + odds) if chosen.on == "logit" else true * (1 + noise * rng.standard_normal(runs))
    return table.assign(**{chosen.predicts: measured})


def cells(value: object) -> Change:
    def change(table: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
        rows = rng.integers(0, len(table), size=2)
        values = table[column].astype(object)
        values.iloc[rows] = value
        kept = values if isinstance(value, str | bool) else values.astype(np.float64)
        return table.assign(**{column: kept})

    change.__name__ = f"cells {value!r}"
    return change


def column(name: str, made: Callable[[pd.Series, np.random.Generator], Any]) -> Change:
    def change(table: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
        return table.assign(**{column: made(table[column], rng)})

    change.__name__ = name
    return change


def rows(name: str, made: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]) -> Change:
    def change(table: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
        return made(table, rng)

    change.__name__ = name
    return change


def one_outlier(values: pd.Series, rng: np.random.Generator) -> pd.Series:
    return values * np.where(np.arange(len(values)) == 0, 10.0 ** rng.uniform(-20, 20), 1.0)


def proportional(table: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
    first = table.iloc[:, 0]
    return table.assign(**{column: 20 * first}) if pd.api.types.is_float_dtype(first) else table


def said_twice(table: pd.DataFrame, column: str, rng: np.random.Generator) -> pd.DataFrame:
    return pd.concat([table, table[[column]]], axis=1)


def facts(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    name = str(
        rng.choice(["parent", "seed", "steps", "vocab", "run_id", "tokenizer", "params_total", "width"])
    )
    odd = np.array([1, 2.5, None, "x", np.nan, np.inf, -3, 0, True], dtype=object)
    return table if name in table else table.assign(**{name: rng.choice(odd, len(table))})


def any_of(*values: object) -> Callable[[pd.DataFrame, np.random.Generator], np.ndarray]:
    return lambda table, rng: rng.choice(np.array(values, dtype=object), len(table))


statuses = any_of("done", "diverged", "", None, "DONE", 3)
decays = any_of(True, False, None, "no", 1, 0)

OF_THE_TABLE = (
    *map(cells, (np.nan, np.inf, -np.inf, 0.0, -1.0, "x", "7B", 1e-300, 1e300, True)),
    column("unit", lambda values, rng: values * 10.0 ** rng.uniform(-12, 30)),
    column("one value", lambda values, rng: values.iloc[0]),
    column("two values", lambda values, rng: np.where(np.arange(len(values)) % 2, *values.iloc[:2])),
    column("outlier", one_outlier),
    column("shuffled", lambda values, rng: rng.permutation(values.to_numpy())),
    column("integers", lambda values, rng: values.fillna(0).clip(-1e18, 1e18).round().astype("int64")),
    column("nullable", lambda values, rng: values.astype("Float64")),
    column("flags", lambda values, rng: values > values.median()),
    column("complex", lambda values, rng: values.astype(complex)),
    column("dates", lambda values, rng: pd.date_range("2020-01-01", periods=len(values))),
    column("categories", lambda values, rng: values.astype("category")),
    column("text", lambda values, rng: values.astype(str)),
    proportional,
    said_twice,
    rows("copies", lambda table, rng: pd.concat([table, table.sample(frac=0.5, random_state=1)])),
    rows("odd index", lambda table, rng: table.set_axis(rng.integers(0, 5, len(table)), axis=0)),
    rows("statuses", lambda table, rng: table.assign(status=statuses(table, rng))),
    rows("decayed", lambda table, rng: table.assign(decayed=decays(table, rng))),
    rows("facts", facts),
)


@st.composite
def corrupted(draw: st.DrawFn) -> tuple[Law, pd.DataFrame]:
    """A law and a table that it could have made, changed up to three times."""
    chosen = draw(st.sampled_from([*LAWS.values(), *ODD_LAWS]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    runs = draw(st.sampled_from([0, 1, 3, 6, 12, 20, 40]))
    table = as_measured(chosen, runs, draw(st.sampled_from([0.0, 1e-3, 0.03])), rng)
    for change in draw(st.lists(st.sampled_from(OF_THE_TABLE), max_size=3)) if runs > 1 else ():
        name = draw(st.sampled_from((*chosen.reads, chosen.predicts)))
        if isinstance(table[name], pd.Series) and pd.api.types.is_float_dtype(table[name].dtype):
            with np.errstate(all="ignore"):
                table = change(table, name, rng)
    return chosen, table


@st.composite
def choices(draw: st.DrawFn) -> dict[str, object]:
    """How it is fitted, now and then not by default."""
    objective = draw(st.sampled_from(["huber", "huber", "lad", "least_squares", "lower_envelope"]))
    scale = draw(st.sampled_from([None, None, None, "log", "raw", "logit"]))
    return {"objective": objective, "on": scale, "delta": draw(st.sampled_from([1e-3, 1e-3, 1e-9, 10.0]))}


@contextmanager
def time_limit() -> Iterator[None]:
    """Stop what hangs, by the time it computes: a busy machine does not fail it."""

    def stop(*_: object) -> None:
        raise AssertionError(f"This took more than {CPU_SECONDS} s of CPU time.")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def is_a_sentence(said: str) -> bool:
    ends = not said or said.endswith((".", "?"))
    return ends and len(said) < 2000 and not re.search(r"Traceback|Error:|<class", said)


def warns(findings: list[Finding]) -> bool:
    return any(finding.severity is not Severity.NOTE for finding in findings)


def examine(chosen: Law, table: pd.DataFrame, how: dict[str, object]) -> Fit:
    """Take a table all the way; what is refused on the way raises."""
    runs = al.Runs(table)
    runs.describe()
    fit = al.fit(chosen, runs, **how)  # type: ignore[arg-type]  # drawn by name
    assert np.isfinite([*fit.coefficients.values(), fit.objective_value]).all()
    assert_nothing_is_silent(fit)
    fit = al.bootstrap(fit, draws=DRAWS)
    assert fit.draws is not None
    assert np.isfinite(fit.draws.to_numpy()).all()
    assert_predicts(fit)
    al.check(fit)
    assert chosen.name in fit.summary()
    assert_round_trip(fit)
    best = fit.optimum(1e21)
    assert np.isfinite([best.params.value, best.tokens.value, best.loss.value]).all()
    return fit


def assert_nothing_is_silent(fit: Fit) -> None:
    measured = transform(fit.on, fit.data.output)
    of_one_number = fit.goal.total(np.median(measured) - measured, fit.data.weights)
    useless = fit.objective_value >= of_one_number
    assert warns(list(fit.findings)) or not (useless or fit.status is not FitStatus.CONVERGED)


def assert_predicts(fit: Fit) -> None:
    middle = {name: float(np.median(values)) for name, values in fit.data.inputs.items()}
    inside = fit.predict(**middle)
    assert np.isfinite(inside.median)
    assert inside.no_interval_because or inside.low <= inside.median <= inside.high
    for factor in (1e-6, 1e12):
        far = fit.predict(**{name: factor * value for name, value in middle.items()})
        assert far.no_interval_because or np.isfinite([far.low, far.high]).all()
        check_forecast(far)


def assert_round_trip(fit: Fit) -> None:
    with TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.json", Path(folder) / "second.json"
        fit.save(first)
        Fit.load(first, law=fit.law).save(second)
        assert first.read_bytes() == second.read_bytes()


def refused(chosen: Law, table: pd.DataFrame, how: dict[str, object]) -> str:
    """Why a table was refused; empty if it was not."""
    try:
        examine(chosen, table, how)
    except AllometryError as error:
        return str(error)
    return ""


def ends_well(chosen: Law, table: pd.DataFrame, how: dict[str, object]) -> None:
    with time_limit():
        refusal = refused(chosen, table, how)
    assert is_a_sentence(refusal), refusal


@few
@given(corrupted(), choices())
def test_a_corrupted_table_ends_in_a_fit_with_findings_or_in_a_refusal(
    made: tuple[Law, pd.DataFrame], how: dict[str, object]
) -> None:
    ends_well(*made, how)


@pytest.mark.slow
@many
@given(corrupted(), choices())
def test_a_thousand_corrupted_tables_end_in_a_fit_with_findings_or_in_a_refusal(
    made: tuple[Law, pd.DataFrame], how: dict[str, object]
) -> None:
    ends_well(*made, how)
