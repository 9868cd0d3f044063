"""Intervals by profile: as in the textbook where it has one, by brute force where it has none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from allometry.errors import FitError, InputError
from allometry.fitting import Fit, fit
from allometry.fitting.likelihood import allowed_rise, likelihood_interval
from allometry.laws import Coefficient, chinchilla, law
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

END = 3e-4  # of the half width: where a walk stops halving
BOUND = 3e-3  # of the half width: a condition of finite weight
PLACE = {"params": 3e8, "tokens": 6e9}
BUDGET = 1e20


ANY = [
    Coefficient(name=n, meaning=n, unit="1", low=-9, high=9, positive=False, bounds=(-99, 99)) for n in "ab"
]


@law(reads=("x",), source="a straight line", on="raw", coefficients=tuple(ANY))
def line(x: Any, *, a: Any, b: Any) -> Any:
    """A line."""
    return a + b * x


@pytest.fixture(scope="module")
def straight() -> Fit:
    x = np.linspace(1, 3, 12)
    y = 5 + 2 * x + 0.3 * np.random.default_rng(2).standard_normal(12)
    return fit(line, Runs(pd.DataFrame({"x": x, "loss": y})), objective="least_squares")


@pytest.fixture(scope="module")
def squares(ladder: MakeRuns) -> Fit:
    return fit("chinchilla", ladder(0.003, seed=5), objective="least_squares")


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_a_coefficient_of_a_straight_line_has_the_interval_of_students_t(level: float, straight: Fit) -> None:
    found = likelihood_interval(straight, "b", level=level)

    x, y = straight.data.inputs["x"], straight.data.output
    textbook = stats.linregress(x, y)
    half = stats.t.ppf((1 + level) / 2, 10) * textbook.stderr
    assert found.low == pytest.approx(textbook.slope - half, abs=END * half)
    assert found.high == pytest.approx(textbook.slope + half, abs=END * half)


def test_the_curve_of_a_straight_line_has_the_interval_of_students_t(straight: Fit) -> None:
    found = likelihood_interval(straight, at={"x": 6.0})

    x, y = straight.data.inputs["x"], straight.data.output
    textbook = stats.linregress(x, y)
    noise = np.sqrt(np.sum((y - textbook.intercept - textbook.slope * x) ** 2) / 10)
    leverage = 1 / 12 + (6 - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    half = stats.t.ppf(0.95, 10) * noise * np.sqrt(leverage)
    there = textbook.intercept + 6 * textbook.slope
    assert (found.low, found.high) == pytest.approx((there - half, there + half), abs=BOUND * half)


def test_weights_are_inverse_variances(straight: Fit) -> None:
    weights = np.linspace(1, 5, 12)
    runs = Runs(pd.DataFrame({"x": straight.data.inputs["x"], "loss": straight.data.output}))
    found = likelihood_interval(fit(line, runs, objective="least_squares", weights=weights), "b")

    design = np.column_stack([np.ones(12), straight.data.inputs["x"]]) * np.sqrt(weights)[:, None]
    target = straight.data.output * np.sqrt(weights)
    solved, residual, *_ = np.linalg.lstsq(design, target, rcond=None)
    error = np.sqrt(residual[0] / 10 * np.linalg.inv(design.T @ design)[1, 1])
    half = stats.t.ppf(0.95, 10) * error
    assert (found.low, found.high) == pytest.approx((solved[1] - half, solved[1] + half), abs=END * half)


def least_squares_given(
    found: Fit, held: Callable[[np.ndarray], dict[str, float]], start: list[float]
) -> float:
    """The least sum of squares by SciPy, of coefficients that a shorter vector determines."""

    def residuals(free: np.ndarray) -> np.ndarray:
        return np.asarray(
            np.log(chinchilla.evaluate(found.data.inputs, held(free))) - np.log(found.data.output)
        )

    return float(2 * optimize.least_squares(residuals, start, x_scale="jac", xtol=1e-14, ftol=1e-14).cost)


def rise_by_f(found: Fit) -> float:
    """The sum of squares at an end of the 90% interval, by the F distribution."""
    spare = len(found.data) - len(found.open)
    return found.objective_value * (1 + float(stats.f.ppf(0.9, 1, spare)) / spare)


RISE = 2e-3  # of the sum of squares: twice END and BOUND of the half width


def test_at_both_ends_of_a_coefficient_scipy_finds_the_rise_of_the_f_distribution(squares: Fit) -> None:
    found = likelihood_interval(squares, "alpha")

    start = [np.log(squares.coefficients[n]) for n in ("E", "A", "B", "beta")]
    for end in (found.low, found.high):

        def rest(free: np.ndarray, end: float = end) -> dict[str, float]:
            return {**dict(zip(("E", "A", "B", "beta"), np.exp(free), strict=True)), "alpha": end}

        assert least_squares_given(squares, rest, start) == pytest.approx(rise_by_f(squares), rel=RISE)


def test_at_both_ends_of_the_curve_scipy_finds_the_rise_of_the_f_distribution(squares: Fit) -> None:
    found = likelihood_interval(squares, at=PLACE)

    start = [np.log(squares.coefficients[n]) for n in ("A", "B", "alpha", "beta")]
    for end in (found.low, found.high):

        def rest(free: np.ndarray, end: float = end) -> dict[str, float]:
            c = dict(zip(("A", "B", "alpha", "beta"), np.exp(free), strict=True))
            above = c["A"] * PLACE["params"] ** -c["alpha"] + c["B"] * PLACE["tokens"] ** -c["beta"]
            return {**c, "E": end - above}

        assert least_squares_given(squares, rest, start) == pytest.approx(rise_by_f(squares), rel=RISE)


def test_at_both_ends_of_the_optimal_size_scipy_finds_the_rise_of_the_f_distribution(squares: Fit) -> None:
    found = likelihood_interval(squares, "params", flops=BUDGET)

    start = [np.log(squares.coefficients[n]) for n in ("E", "A", "alpha", "beta")]
    for end in (found.low, found.high):

        def rest(free: np.ndarray, end: float = end) -> dict[str, float]:
            c = dict(zip(("E", "A", "alpha", "beta"), np.exp(free), strict=True))
            # Hoffmann et al. 2022, eq. 4, solved for B.
            size = c["alpha"] * c["A"] * end ** -c["alpha"]
            return {**c, "B": size / c["beta"] * (BUDGET / 6 / end) ** c["beta"]}

        assert least_squares_given(squares, rest, start) == pytest.approx(rise_by_f(squares), rel=RISE)


def test_size_and_tokens_of_an_optimum_spend_the_budget_between_them(squares: Fit) -> None:
    size, tokens = (likelihood_interval(squares, name, flops=BUDGET) for name in ("params", "tokens"))

    assert 6 * size.low * tokens.high == pytest.approx(BUDGET)
    assert 6 * size.value * tokens.value == pytest.approx(BUDGET)
    assert (size.unit, tokens.unit) == ("1", "token")


def test_a_floor_that_may_be_nothing_ends_at_zero(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = ladder()
    loss = 20 * runs.column("params") ** -0.1 + 20 * runs.column("tokens") ** -0.1
    noise = np.exp(0.003 * np.random.default_rng(3).standard_normal(20))

    found = likelihood_interval(fit("chinchilla", changed(runs, loss=loss * noise), starts=4), "E")

    assert found.low == 0
    assert found.high > found.value


def test_absolute_residuals_have_the_interval_of_the_median(straight: Fit) -> None:
    # Of normal noise the slope by absolute residuals has sqrt(pi / 2) times the error of least squares.
    x = np.linspace(1, 3, 400)
    y = 5 + 2 * x + 0.3 * stats.norm.ppf((np.random.default_rng(0).permutation(400) + 0.5) / 400)
    found = fit(line, Runs(pd.DataFrame({"x": x, "loss": y})), objective="lad")

    expected = np.sqrt(np.pi / 2) * 0.3 / np.sqrt(np.sum((x - x.mean()) ** 2)) * 2 * stats.norm.ppf(0.95)
    b = likelihood_interval(found, "b")
    assert b.high - b.low == pytest.approx(expected, rel=0.25)  # 400 runs around a kink


def test_many_runs_of_uneven_noise_have_the_interval_of_white(straight: Fit) -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(1, 3, 200)
    y = 5 + 2 * x + 0.02 * (x - 0.9) ** 3 * rng.standard_normal(200)
    found = fit(line, Runs(pd.DataFrame({"x": x, "loss": y})), objective="least_squares")

    b = likelihood_interval(found, "b")

    design = np.column_stack([np.ones(200), x])
    inverse = np.linalg.inv(design.T @ design)
    weight = (found.residuals() / (1 - np.sum(design @ inverse * design, axis=1))) ** 2
    meat = design.T @ (design * weight[:, None])  # White 1980, as the HC3 of MacKinnon and White 1985
    error = np.sqrt((inverse @ meat @ inverse)[1, 1])
    assert b.high - b.low == pytest.approx(2 * stats.t.ppf(0.95, 198) * error, rel=1e-3)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"name": "gamma"}, "one of the coefficients E, A, B, alpha, beta"),
        ({"name": "params"}, "with flops="),
        ({"name": "alpha", "at": PLACE}, "at="),
        ({"name": "alpha", "level": 1.5}, "between 0 and 1"),
        ({"at": {**PLACE, "params": -1e9}}, "'params' must be a number above zero"),
    ],
)
def test_what_has_no_interval_is_refused_with_what_has_one(
    asked: dict[str, Any], words: str, squares: Fit
) -> None:
    with pytest.raises(InputError, match=words):
        likelihood_interval(squares, **asked)


def test_a_lower_envelope_is_refused_with_the_way_out(squares: Fit) -> None:
    with pytest.raises(FitError, match="bootstrap"):
        likelihood_interval(replace(squares, objective="lower_envelope"), "E")


def test_runs_as_few_as_coefficients_leave_nothing_to_judge_by(squares: Fit) -> None:
    few = replace(
        squares.data,
        inputs={name: values[:5] for name, values in squares.data.inputs.items()},
        output=squares.data.output[:5],
        weights=np.ones(5),
    )
    with pytest.raises(FitError, match="5 runs and 5 coefficients"):
        allowed_rise(replace(squares, data=few))


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["huber", "least_squares"])
def test_ninety_percent_intervals_hold_the_truth_of_nine_studies_in_ten(
    objective: Any, ladder: MakeRuns, truth: dict[str, float]
) -> None:
    a, b = truth["alpha"], truth["beta"]
    size = (a * truth["A"] / (b * truth["B"])) ** (1 / (a + b)) * (BUDGET / 6) ** (b / (a + b))
    asked: list[tuple[dict[str, Any], float]] = [
        ({"name": "alpha"}, a),
        ({"at": PLACE}, float(chinchilla.evaluate(PLACE, truth))),
        ({"name": "params", "flops": BUDGET}, size),
    ]
    held = np.zeros(3)
    for seed in range(60):
        found = fit("chinchilla", ladder(0.003, seed=seed), objective=objective, starts=4)
        for one, (what, true) in enumerate(asked):
            interval = likelihood_interval(found, **what)
            held[one] += interval.low <= true <= interval.high

    assert (held / 60 >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 60)).all()
    assert held.sum() < 180  # not by being endless
