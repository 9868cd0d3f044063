"""Draws from a posterior: against closed forms, against a bootstrap, and against the law's own bounds."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from allometry.errors import FitError, InputError, MissingExtra, UnknownName
from allometry.fitting import Fit, FitStatus, bootstrap, fit
from allometry.fitting.default_priors import default_priors, describe_priors
from allometry.fitting.posterior import posterior
from allometry.fitting.posterior_density import LIKELIHOODS, density_of
from allometry.fitting.priors import (
    HalfCauchy,
    LogNormal,
    LogUniform,
    Normal,
    Prior,
    Uniform,
)
from allometry.runs.run import Runs

MakeRuns = Callable[..., Runs]

NOISE = 0.02
CHANCE = 0.15  # of a standard deviation: four standard errors of a mean of 700 effective draws
TARGET = {"params": 7.5e7, "tokens": 3.6e9}


@pytest.fixture(scope="module")
def line(ladder: MakeRuns) -> Fit:
    """A law that is linear in log A and alpha, by least squares."""
    return fit("power_law", ladder(noise=NOISE), inputs={"x": "params"}, objective="least_squares")


@pytest.fixture(scope="module")
def curve(ladder: MakeRuns) -> Fit:
    return fit("chinchilla", ladder(noise=0.005), objective="least_squares")


@pytest.fixture(scope="module")
def believed(curve: Fit) -> Fit:
    return posterior(curve)


def _design(line: Fit) -> np.ndarray:
    logs = np.log(line.data.inputs["x"])
    return np.column_stack([np.ones_like(logs), -logs])


def _drawn(fit: Fit) -> np.ndarray:
    assert fit.draws is not None
    return np.column_stack([np.log(fit.draws["A"]), fit.draws["alpha"]])


def test_normal_priors_and_known_noise_give_the_conjugate_posterior(line: Fit) -> None:
    known = LogNormal(NOISE, 1.0001)
    priors: dict[str, Prior] = {"A": LogNormal(10, 1.2), "alpha": Normal(0.1, 0.01), "noise.scale": known}
    drawn = _drawn(posterior(line, priors=priors, most_steps=300))

    x, y = _design(line), np.log(line.data.output)
    precision = np.diag([1 / np.log(1.2) ** 2, 1 / 0.01**2])
    covariance = np.linalg.inv(x.T @ x / NOISE**2 + precision)
    mean = covariance @ (x.T @ y / NOISE**2 + precision @ [np.log(10), 0.1])
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((drawn.mean(axis=0) - mean) / sd, 0, atol=CHANCE)
    np.testing.assert_allclose(drawn.std(axis=0) / sd, 1, atol=CHANCE)


def test_wide_priors_and_unknown_noise_give_students_t_of_linear_theory(line: Fit) -> None:
    wide: dict[str, Prior] = {"A": LogNormal(10, 1e6), "alpha": Normal(0, 10)}
    found = posterior(line, priors=wide, most_steps=300)

    x, y = _design(line), np.log(line.data.output)
    best, squares = np.linalg.lstsq(x, y)[:2]
    sd = np.sqrt(np.linalg.inv(x.T @ x)[1, 1] * squares[0] / 18)
    low, high = found.interval("alpha", 0.9)
    assert (low - best[1]) / sd == pytest.approx(-1.734, abs=2 * CHANCE)  # t of 18 degrees, 95%
    assert (high - best[1]) / sd == pytest.approx(1.734, abs=2 * CHANCE)


def test_weak_priors_leave_the_point_where_the_objective_is_least(curve: Fit, believed: Fit) -> None:
    sd = {name: np.ptp(believed.interval(name, 0.68)) / 2 for name in curve.open}

    for name in curve.open:
        assert abs(believed.coefficients[name] - curve.coefficients[name]) < 0.05 * sd[name]
    assert believed.objective_value == pytest.approx(curve.objective_value, rel=1e-3)


def test_the_forecast_of_a_chinchilla_ladder_is_as_wide_as_a_bootstraps(curve: Fit, believed: Fit) -> None:
    ours, theirs = (one.predict(**TARGET) for one in (believed, bootstrap(curve, draws=400)))

    width = theirs.high - theirs.low
    assert believed.status is FitStatus.CONVERGED
    assert ours.low == pytest.approx(theirs.low, abs=0.15 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.15 * width)


def test_a_strong_prior_on_the_floor_moves_the_forecast(curve: Fit, believed: Fit) -> None:
    high = posterior(curve, priors={"E": Normal(2.2, 0.01)}, draws=500, most_steps=300)

    assert high.coefficients["E"] == pytest.approx(2.2, abs=0.03)
    assert high.interval("E")[0] > believed.interval("E")[1]
    far = {"params": 7e10, "tokens": 1.4e12}
    assert high.predict(**far).low > believed.predict(**far).median


def test_draws_stay_inside_priors_and_bounds(curve: Fit) -> None:
    found = posterior(curve, priors={"E": Uniform(0.0, 1.6)}, draws=500, most_steps=300)

    assert found.draws is not None
    assert found.draws["E"].between(0.0, 1.6).all()
    assert found.draws["E"].max() > 1.55  # the runs would have it higher
    assert (found.draws[["A", "B"]] > 0).all(axis=None)


def test_there_is_no_probability_outside_the_laws_bounds(curve: Fit) -> None:
    density = density_of(curve, default_priors(curve))
    inside = np.append(density.held, np.log(0.005))
    below = np.where(
        np.arange(6) == 0, -0.01, inside
    )  # a floor below zero, which its normal prior would allow

    assert np.isfinite(density(inside[None, :])[0])
    assert density(below[None, :])[0] == -np.inf


def test_held_coefficients_are_neither_drawn_nor_moved(ladder: MakeRuns) -> None:
    found = posterior(
        fit("chinchilla", ladder(0.005), objective="lad", hold={"E": 1.8}), draws=200, most_steps=200
    )

    assert found.draws is not None
    assert set(found.draws["E"]) == {1.8} == {found.coefficients["E"]}
    assert found.draws["alpha"].nunique() > 100


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(line: Fit) -> None:
    first, again, other = (posterior(line, draws=50, seed=seed, most_steps=100).draws for seed in (3, 3, 4))

    assert first is not None
    assert again is not None
    assert other is not None
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("name", ["huber", "lad", "least_squares"])
@pytest.mark.parametrize("delta", [0.05, 0.5, 30.0])
def test_each_likelihood_is_a_density(name: str, delta: float) -> None:
    def density(r: float) -> float:
        at = np.array([[r]]), np.array([0.7]), np.array([[0.8]]), np.array([[delta]])
        return float(np.exp(LIKELIHOODS[name](*at)[0, 0]))

    turn = min(delta, 10.0)
    reach = 300.0 if delta < 0.1 else 30.0
    pieces = [(-reach, -turn), (-turn, 0), (0, turn), (turn, reach)]
    assert sum(quad(density, *ends, limit=200)[0] for ends in pieces) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("objective", ["huber", "lad", "least_squares"])
def test_the_likelihood_is_highest_where_the_objective_is_least(objective: str, ladder: MakeRuns) -> None:
    weights = np.geomspace(1, 9, 20)
    found = fit("chinchilla", ladder(0.01), objective=objective, weights=weights)  # type: ignore[arg-type]
    density = density_of(found, default_priors(found))

    noise = np.log([0.01, found.delta])[: len(density.names) - 5]
    best = np.append(density.held, noise)
    near = best + 1e-4 * np.concatenate([np.eye(5), -np.eye(5)]) @ np.eye(5, len(best))
    likely = density.log_likelihood(np.concatenate([best[None, :], near]))
    assert (likely[0] > likely[1:]).all()


@pytest.mark.parametrize(
    "prior", [Normal(1.7, 0.1), LogNormal(400, 3), Uniform(1, 3), LogUniform(0.01, 10), HalfCauchy(0.5)]
)
def test_a_priors_quantiles_are_those_of_its_density(prior: Prior) -> None:
    low, high = prior.quantile(0.2), prior.quantile(0.7)
    values = np.linspace(low, high, 20_001)

    share = np.trapezoid(np.exp(prior.log_density(values)), values)
    assert share == pytest.approx(0.5, abs=1e-4)


def test_default_priors_hold_the_published_coefficients(curve: Fit) -> None:
    table = describe_priors(curve)

    published = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    ends = table.loc[list(published), ["low", "high"]].to_numpy(dtype=np.float64)
    assert all(low < value < high for (low, high), value in zip(ends, published.values(), strict=True))


def test_an_output_of_another_size_widens_its_prior(ladder: MakeRuns, changed: MakeRuns) -> None:
    runs = changed(ladder(0.005), perplexity=1000 * ladder(0.005).column("loss"))
    found = fit("chinchilla", runs, output="perplexity")

    low, high = describe_priors(found).loc[["E"], ["low", "high"]].to_numpy(dtype=np.float64)[0]
    assert low < found.coefficients["E"] < high


def test_too_few_steps_are_said_in_status_findings_and_summary(curve: Fit) -> None:
    found = posterior(curve, draws=50, most_steps=100)

    assert found.status is FitStatus.NOT_CONVERGED
    assert "posterior_not_converged" in [one.code for one in found.findings]
    assert "have not settled" in found.summary()


def test_a_coefficient_that_only_its_prior_knows_is_named(ladder: MakeRuns) -> None:
    found = fit("chinchilla", ladder(0.005), objective="least_squares")
    told = posterior(found, priors={"E": Normal(1.7, 0.001)}, draws=50, most_steps=150)

    sentences = [one.sentence for one in told.findings if one.code == "prior_decides"]
    assert len(sentences) == 1
    assert "little of E:" in sentences[0]


def test_a_saved_posterior_comes_back_with_how_it_was_drawn(believed: Fit, tmp_path: Path) -> None:
    believed.save(tmp_path / "fit.json")
    loaded = Fit.load(tmp_path / "fit.json")

    assert loaded.drawn == believed.drawn
    assert loaded.fit_hash == believed.fit_hash
    assert loaded.summary() == believed.summary()
    assert "draws from a posterior" in loaded.summary()
    assert "E Normal(" in loaded.summary()


def test_without_emcee_the_way_to_get_it_is_named(line: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emcee", None)

    with pytest.raises(MissingExtra, match=r"allometry\[bayes\]"):
        posterior(line)


def test_what_cannot_be_believed_is_refused_in_words(line: Fit, ladder: MakeRuns) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'alpha'"):
        posterior(line, priors={"alpa": Normal(0, 1)})
    with pytest.raises(InputError, match="hold it"):
        posterior(line, priors={"alpha": 0.3})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="lower_envelope"):
        posterior(fit("chinchilla", ladder(0.005), objective="lower_envelope"))
    with pytest.raises(FitError, match="next to no probability"):
        posterior(line, priors={"A": Uniform(-3, -2)})
    with pytest.raises(InputError, match="above 0"):
        Normal(1.0, 0.0)


@pytest.mark.slow
def test_the_truths_rank_among_the_draws_is_uniform() -> None:
    """Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788) of a power law with a floor."""
    priors: dict[str, Prior] = {
        "E": Normal(1.7, 0.2),
        "A": LogNormal(700, 1.3),
        "alpha": Normal(0.16, 0.02),
        "noise.scale": LogNormal(0.01, 1.5),
    }
    ranks = np.array([_ranks(priors, study) for study in range(100)])

    bins = np.stack([np.bincount((rank * 5).astype(int), minlength=5) for rank in ranks.T])
    chi_squared = ((bins - 20) ** 2 / 20).sum(axis=1)
    assert (chi_squared < 18.5).all()  # 4 degrees: one in a thousand


def _ranks(priors: dict[str, Prior], study: int) -> np.ndarray:
    """Share of draws below the truth, for each coefficient; the truth is drawn from the priors."""
    rng = np.random.default_rng([study, 5])
    truth = {name: prior.quantile(rng.random()) for name, prior in priors.items()}
    flops = np.geomspace(1e15, 1e19, 12)
    loss = truth["E"] + truth["A"] / flops ** truth["alpha"]
    noisy = loss * np.exp(truth["noise.scale"] * rng.standard_normal(12))
    runs = Runs(pd.DataFrame({"flops": flops, "loss": noisy}))
    found = fit("power_law_with_floor", runs, inputs={"x": "flops"}, objective="least_squares")
    drawn = posterior(found, priors=priors, draws=500, seed=study).draws
    assert drawn is not None
    return np.array([(drawn[name] < truth[name]).mean() for name in ("E", "A", "alpha")]) * (1 - 1e-9)
