"""Training against inference for one score: optima against a slow search, ranges from draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from allometry.capabilities.attempts import Counts
from allometry.capabilities.exchange import Workload, exchange
from allometry.capabilities.joint import JointOptimum, joint_optimum
from allometry.capabilities.loss_to_pass import LossToPass, fit_loss_to_pass
from allometry.errors import FitError, InputError
from allometry.fitting import Fit, bootstrap, fit
from allometry.plots.joint import score_against_size
from allometry.runs.run import Runs

LAW = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
SERVED = Workload(queries=1e6, tokens=500)


def loss(params: float, tokens: float) -> float:
    return float(LAW["E"] + LAW["A"] * params ** -LAW["alpha"] + LAW["B"] * tokens ** -LAW["beta"])


@pytest.fixture(scope="module")
def law() -> Fit:
    rng = np.random.default_rng(0)
    sizes, horizons = (
        grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5))
    )
    table = pd.DataFrame({"params": sizes, "tokens": horizons})
    table["loss"] = [loss(n, d) for n, d in zip(sizes, horizons, strict=True)] * np.exp(
        0.003 * rng.standard_normal(25)
    )
    return bootstrap(fit("chinchilla", Runs(table)), draws=20)


@pytest.fixture(scope="module")
def passes() -> LossToPass:
    rng = np.random.default_rng(1)
    hard = rng.gumbel(size=200)
    models = []
    for level in (2.2, 2.5, 3.0):
        chance = 1 / (1 + np.exp(4 + 2.5 * (level - 2) - 1.5 * hard))
        models.append(Counts.of(np.full(200, 200), rng.binomial(200, chance)))
    return fit_loss_to_pass([2.2, 2.5, 3.0], models, draws=20)


@pytest.fixture(scope="module")
def best(law: Fit, passes: LossToPass) -> JointOptimum:
    return joint_optimum(law, passes, SERVED, flops=1e21)


def test_the_optimum_is_that_of_a_slow_search(law: Fit, passes: LossToPass, best: JointOptimum) -> None:
    c = law.coefficients
    u, v, b, w = (float(part[0]) for part in (passes.u, passes.v, passes.b, passes.w))

    def misfit(logs: np.ndarray) -> float:
        n, k = np.exp(logs[0]), np.exp(np.clip(logs[1], 0, np.log(1e4)))
        tokens = (1e21 - 2 * n * 1e6 * 500 * k) / (6 * n)
        if tokens <= 0:
            return 1e9
        at = c["E"] + c["A"] * n ** -c["alpha"] + c["B"] * tokens ** -c["beta"]
        return float(u + v * at - max(b + w * at, 0) * np.log(k))

    starts = [(np.log(n), np.log(k)) for n in (1e8, 1e9, 1e10) for k in (1, 30, 1000)]
    found = min((minimize(misfit, start, method="Nelder-Mead") for start in starts), key=lambda one: one.fun)

    assert misfit(np.log([best.params.value, best.k.value])) <= found.fun + 1e-3


def test_no_other_size_or_number_of_attempts_beats_the_optimum(best: JointOptimum) -> None:
    spent = (
        6 * best.sizes["params"] * best.sizes["tokens"] + 2e6 * 500 * best.sizes["params"] * best.sizes["k"]
    )

    np.testing.assert_allclose(spent, 1e21)
    assert best.sizes["score"].max() <= best.score.value + 1e-6
    assert best.sizes["score"].max() == pytest.approx(best.score.value, abs=1e-3)


def test_the_chart_has_a_line_for_each_number_of_attempts_and_the_optimum_on_it(best: JointOptimum) -> None:
    chart = score_against_size(best).to_dict()
    rows = [row for some in chart["datasets"].values() for row in some]

    names = {row["series"] for row in rows if "series" in row}
    assert sum(name.endswith("(best)") for name in names) == 1
    assert {"1", "10k"} < names
    assert (best.params.value, best.score.value) in {
        (row["x"], row.get("value")) for row in rows if "left" in row
    }
    assert "Dashed: best size for training alone" in chart["title"]["subtitle"][1]


def test_the_optimum_lies_within_its_ranges_and_spends_the_budget(best: JointOptimum) -> None:
    spent = 6 * best.params.value * best.tokens.value / (1 - best.inference_share.value)

    assert spent == pytest.approx(1e21)
    for one in (best.params, best.tokens, best.k):
        assert one.low < one.high
        assert one.low * 0.8 <= one.value <= one.high * 1.25


def test_serving_makes_the_best_model_smaller_than_training_alone_would(best: JointOptimum) -> None:
    assert best.params.value < best.training_only.value


def test_more_queries_leave_fewer_attempts_to_each(law: Fit, passes: LossToPass, best: JointOptimum) -> None:
    many = joint_optimum(law, passes, replace(SERVED, queries=1e8), flops=1e21)

    assert many.k.value < best.k.value
    assert many.score.value < best.score.value


def test_a_larger_budget_is_never_worse(law: Fit, passes: LossToPass, best: JointOptimum) -> None:
    assert joint_optimum(law, passes, SERVED, flops=4e21).score.value > best.score.value


def test_training_on_the_exchange_curve_reaches_the_score(law: Fit, passes: LossToPass) -> None:
    curve = exchange(law, passes, SERVED, score=0.4, ks=[1, 10, 100])
    c = law.coefficients
    n = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
    n *= (curve.train[1] / 6) ** (c["beta"] / (c["alpha"] + c["beta"]))
    at = c["E"] + c["A"] * n ** -c["alpha"] + c["B"] * (curve.train[1] / 6 / n) ** -c["beta"]

    assert passes.pass_at(np.array([[at]]), np.array([[10.0]]))[0, 0] == pytest.approx(0.4, abs=1e-6)
    assert curve.train[0] > curve.train[1] > curve.train[2]
    assert (curve.train_low <= curve.train).all()
    assert (curve.train <= curve.train_high).all()


def crossing(slope_by_loss: float) -> LossToPass:
    u, v, b, w = (np.array([one]) for one in (-1.2, 1.5, 0.3, slope_by_loss))
    return LossToPass(u=u, v=v, b=b, w=w, losses=(2.0, 3.0), most=100)


@pytest.mark.parametrize("slope_by_loss", [-0.1, 0.1, 0.3])  # at the last, lines in k cross before k = 1000
@pytest.mark.parametrize("score", [0.05, 0.4, 0.9])
def test_the_loss_needed_reaches_the_score_and_a_higher_one_does_not(
    slope_by_loss: float, score: float
) -> None:
    one = np.ones(1)
    made = LossToPass(
        u=-1.2 * one, v=1.5 * one, b=0.3 * one, w=slope_by_loss * one, losses=(2.0, 3.0), most=100
    )
    k = np.array([1.0, 10, 1000])

    needed = made.loss_needed(score, k)

    np.testing.assert_allclose(made.pass_at(needed, k)[0], score, rtol=1e-9)
    assert (made.pass_at(needed + 0.01, k) < score).all()


def test_a_higher_loss_never_scores_better_even_where_lines_in_k_cross() -> None:
    made = crossing(0.3)
    losses = np.linspace(1.5, 12, 200)[None, :]

    for k in (1.0, 100.0, 1e4):
        scores = made.pass_at(losses, np.full(200, k))[0]
        assert (np.diff(scores) <= 1e-12).all()
        assert scores[-1] < 1e-3 or k == 1e4


def test_models_of_lower_loss_that_solve_less_are_refused() -> None:
    worse, better = (
        Counts.of([100] * 10, [right] * solved + [0] * (10 - solved)) for solved, right in ((1, 1), (2, 5))
    )
    with pytest.raises(FitError, match="models of lower loss solve no more"):
        fit_loss_to_pass([2.0, 2.5, 3.0], [worse, worse, better], draws=5)


def test_two_models_are_too_few() -> None:
    one = Counts.of([10, 10], [1, 5])
    with pytest.raises(FitError, match="at least three models"):
        fit_loss_to_pass([2.0, 3.0], [one, one])


def test_a_fit_without_draws_is_refused(law: Fit, passes: LossToPass) -> None:
    with pytest.raises(FitError, match="bootstrap"):
        joint_optimum(replace(law, draws=None), passes, SERVED, flops=1e21)
    with pytest.raises(InputError, match="above zero"):
        joint_optimum(law, passes, SERVED, flops=-1)
