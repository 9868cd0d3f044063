"""Recipes compared by how much more compute one of them needs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.errors import FitError, InputError, TableError
from allometry.fitting import Fit, bootstrap, fit
from allometry.fitting.comparison.power import Precision, detectable, precision, runs_to_detect
from allometry.fitting.comparison.recipe_laws import recipe_law
from allometry.fitting.comparison.recipes import Multiplier, multiplier
from allometry.laws import chinchilla, power_law_with_floor
from allometry.runs.run import Runs

GADRE = Path(__file__).parents[4] / "shared" / "data" / "gadre_overtraining.csv"
TRUTH = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
FINE = 1e-5  # relative: noiseless runs and a search that goes to rounding
LEVEL, SHORT = 0.9, 40
KNOWN = {"E": 1.7}  # the floor of `chain`: held where only the plumbing is tested


def chain(factor: float = 1.3, noise: float = 0.004, count: int = 10, seed: int = 0) -> Runs:
    """Two recipes along compute; what the new one does, the old one does with `factor` times the compute."""
    flops, new = np.tile(np.geomspace(1e18, 1e20, count), 2), np.repeat([False, True], count)
    loss = 1.7 + 60 * (flops * np.where(new, factor, 1.0)) ** -0.1
    noisy = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(2 * count))
    recipe = np.where(new, "new", "old")
    return Runs(pd.DataFrame({"flops": flops, "recipe": recipe, "loss": noisy, "recipe_1": 1.0 * new}))


def grid(params: float = 1.2, tokens: float = 1.5, alpha: float = 0.0, noise: float = 0.0) -> Runs:
    """Two recipes by four sizes by four horizons; the new one has factors of its own, or another alpha."""
    n, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(2e6, 3e7, 4), np.geomspace(5, 60, 4)))
    sizes, horizons, new = np.tile(n, 2), np.tile(n * ratio, 2), np.repeat([0.0, 1.0], 16)
    c = {name: np.full(32, value) for name, value in TRUTH.items()}
    c["alpha"] = c["alpha"] + alpha * new
    loss = chinchilla.evaluate({"params": sizes * params**new, "tokens": horizons * tokens**new}, c)
    noisy = loss * np.exp(noise * np.random.default_rng(0).standard_normal(32))
    recipe = np.where(new == 1, "new", "old")
    return Runs(pd.DataFrame({"params": sizes, "tokens": horizons, "recipe": recipe, "loss": noisy}))


def shared_fit(runs: Runs, seed: int = 0, draws: int = SHORT, hold: dict[str, float] | None = None) -> Fit:
    """The fit inside `multiplier`, alone."""
    law = recipe_law(power_law_with_floor, ("flops",), ("new",)).law
    with np.errstate(divide="ignore"):
        made = fit(law, runs, inputs={"x": "flops"}, objective="least_squares", hold=hold)
    return bootstrap(made, draws=draws, seed=seed)


@pytest.fixture(scope="module")
def gridded() -> Multiplier:
    return multiplier(grid(noise=0.002), by="recipe", level=0.99, draws=200)


@pytest.fixture(scope="module")
def exact() -> Multiplier:
    return multiplier(grid(), by="recipe", reference="old", draws=2)


def test_noiseless_runs_give_the_factors_that_they_were_made_with(exact: Multiplier) -> None:
    (row,) = exact.table.to_dict("records")

    assert row["multiplier"] == pytest.approx(1.2 * 1.5, rel=FINE)
    assert row["params_factor"] == pytest.approx(1.2, rel=FINE)
    assert row["tokens_factor"] == pytest.approx(1.5, rel=FINE)
    assert exact.slopes["difference"].to_numpy() == pytest.approx([0, 0], abs=FINE)


def test_the_other_reference_gives_the_reciprocal() -> None:
    made = multiplier(grid(), by="recipe", reference="new", draws=2)

    assert made.table["recipe"].tolist() == ["old"]
    assert made.table["multiplier"].item() == pytest.approx(1 / 1.8, rel=FINE)


def test_the_reference_reaches_the_same_least_loss_with_that_much_more_compute(exact: Multiplier) -> None:
    factor, flops = exact.table["multiplier"].item(), 1e17
    sizes = np.geomspace(1e6, 1e10, 20_001)

    def least(budget: float, params: float, tokens: float) -> float:
        inputs = {"params": sizes * params, "tokens": budget / 6 / sizes * tokens}
        return float(chinchilla.evaluate(inputs, TRUTH).min())

    assert least(flops, 1.2, 1.5) == pytest.approx(least(factor * flops, 1, 1), rel=1e-6)  # grid of sizes


def test_a_multiplier_in_compute_holds_the_truth_and_is_told_from_none(gridded: Multiplier) -> None:
    (row,) = gridded.table.to_dict("records")

    assert row["low"] < 1.8 < row["high"]
    assert row["distinguishable"]
    assert "'new'" in gridded.verdict
    assert ": distinguishable from no effect" in gridded.verdict


def test_with_free_exponents_the_multiplier_is_about_the_same_at_all_scales(gridded: Multiplier) -> None:
    assert (gridded.across["low"] < 1.85).all()
    assert (gridded.across["high"] > 1.75).all()
    assert gridded.across["x"].min() == pytest.approx(6 * 2e6 * 1e7)
    assert "slopes_differ" not in [finding.code for finding in gridded.findings]


def test_a_recipe_of_another_slope_is_found_and_its_multiplier_grows() -> None:
    made = multiplier(grid(1.0, 1.0, alpha=0.03, noise=0.001), by="recipe", reference="old", draws=SHORT)
    found = {finding.code: finding for finding in made.findings}

    alpha = made.slopes.set_index("exponent").loc["alpha"]
    assert alpha["low"] < 0.03 < alpha["high"]
    assert "alpha" in str(found["slopes_differ"].evidence["exponents"])
    assert made.across["multiplier"].is_monotonic_increasing


def test_the_multiplier_across_compute_is_that_of_the_curves() -> None:
    runs = chain(noise=0.0)
    steeper = np.where(runs.table["recipe"] == "new", 0.105, 0.1)
    runs = Runs(runs.table.assign(loss=1.7 + 60 * runs.column("flops") ** -steeper))
    made = multiplier(runs, by="recipe", law="power_law_with_floor", reference="old", draws=2, hold=KNOWN)

    flops = made.across["x"].to_numpy()
    np.testing.assert_allclose(made.across["multiplier"], flops ** (0.105 / 0.1 - 1), rtol=1e-3)  # 61 points


def test_nine_in_ten_intervals_hold_the_truth_and_one_in_ten_sees_what_is_not_there() -> None:
    studies, held, false = 16, 0, 0
    for seed in range(studies):
        low, high = shared_fit(chain(1.3, seed=seed), seed, hold=KNOWN).interval("x_1", LEVEL)
        held += low <= np.log(1.3) <= high
        low, high = shared_fit(chain(1.0, seed=seed), seed, hold=KNOWN).interval("x_1", LEVEL)
        false += not low <= 0 <= high

    # 16 studies: by the binomial, 11 or more hold it and 5 or fewer see it, in 99 of 100 such tests.
    assert held >= 11
    assert false <= 5


@pytest.mark.slow
@pytest.mark.parametrize("count", [6, 10])
def test_coverage_and_false_alarms_over_many_studies(count: int) -> None:
    studies, held, false = 200, 0, 0
    for seed in range(studies):
        low, high = shared_fit(chain(1.3, count=count, seed=seed), seed, 200).interval("x_1", LEVEL)
        held += low <= np.log(1.3) <= high
        low, high = shared_fit(chain(1.0, count=count, seed=seed), seed, 200).interval("x_1", LEVEL)
        false += not low <= 0 <= high

    assert held / studies == pytest.approx(LEVEL, abs=0.06)  # three standard errors of 200 studies
    assert false / studies == pytest.approx(1 - LEVEL, abs=0.06)


@pytest.mark.slow
def test_so_many_runs_as_are_needed_see_the_effect_in_four_of_five_studies() -> None:
    effect, runs = 1.25, 0.0
    for seed in range(10):
        made = shared_fit(chain(1.0, seed=seed), seed, 400)
        assert made.draws is not None
        known = precision(made.draws["x_1"].to_numpy(), (10, 10), 16, 4)
        runs += runs_to_detect(known, np.log(effect), LEVEL, 0.8) / 10
    seen = 0
    for seed in range(200):
        low, high = shared_fit(chain(effect, count=round(runs), seed=seed), seed, 200).interval("x_1", LEVEL)
        seen += low > 0 or high < 0

    assert seen / 200 == pytest.approx(0.8, abs=0.1)  # three standard errors


def test_the_standard_error_is_that_of_linear_theory() -> None:
    runs = chain(noise=0.004, count=12)
    made = shared_fit(runs, draws=1500)
    assert made.draws is not None
    known = precision(made.draws["x_1"].to_numpy(), (12, 12), 20, 4)

    logs = made.law.gradient(made.data.inputs, made.coefficients) / np.exp(made.fitted())[:, None]
    variance = np.sum(made.residuals() ** 2) / 20 * np.linalg.inv(logs.T @ logs)
    assert known.error == pytest.approx(np.sqrt(variance[-1, -1]), rel=0.08)  # 1,500 draws: 2.5% a sigma


def test_with_many_runs_power_is_the_normal_textbook_formula() -> None:
    known = Precision(error=0.02, runs=(500, 500), freedom=996, coefficients=4)
    textbook = 2 * ((1.6449 + 0.8416) * 0.02 * np.sqrt(500 / 2) / np.log(1.02)) ** 2  # n = 2 (z + z)² s² / d²

    assert runs_to_detect(known, np.log(1.02), LEVEL, 0.8) == pytest.approx(textbook, rel=0.01)


def test_fewer_runs_cost_what_thinning_the_design_does() -> None:
    shared = recipe_law(chinchilla, ("params", "tokens"), ("new",))
    at = {**chinchilla.typical, **dict.fromkeys(shared.efficiencies.values(), 0.1)}
    factor = np.array([name in shared.efficiencies.values() for name in shared.law.names], dtype=float)
    params, ratio = (x.ravel() for x in np.meshgrid(np.geomspace(2e6, 1e8, 5), np.geomspace(5, 80, 4)))

    def error(rows: np.ndarray) -> float:
        inputs = {"params": params[rows], "tokens": (params * ratio)[rows], "recipe_1": 1.0 * (rows % 2)}
        logs = shared.law.gradient(inputs, at) / shared.law.evaluate(inputs, at)[:, None]
        size = np.linalg.norm(logs, axis=0)
        return float(np.linalg.norm(np.linalg.pinv((logs / size).T) @ (factor / size)))

    rng = np.random.default_rng(0)
    rows = np.arange(20)  # ten of each recipe, in turns
    thinned = [
        np.concatenate([2 * rng.permutation(10)[:5], 2 * rng.permutation(10)[:5] + 1]) for _ in range(200)
    ]
    known = Precision(error=error(rows), runs=(10, 10), freedom=13, coefficients=7)

    overstated = known.error_with(5) / np.median([error(kept) for kept in thinned])
    assert 1.0 <= overstated <= 1.25  # the root of the runs alone would say a fifth too little


def test_as_many_runs_as_are_needed_detect_the_effect_and_one_fewer_does_not() -> None:
    made = multiplier(chain(), by="recipe", law="power_law_with_floor", draws=SHORT, hold=KNOWN)
    runs = made.runs_needed(1.1)

    assert made.minimum_detectable(runs) <= 1.1 < made.minimum_detectable(runs - 1)
    assert made.runs_needed(1 / 1.1) == runs
    assert made.runs_needed(1.1, power=0.95) > runs


def test_an_effect_of_none_takes_no_number_of_runs(gridded: Multiplier) -> None:
    with pytest.raises(InputError, match="larger effect"):
        gridded.runs_needed(1.0)
    with pytest.raises(InputError, match="above zero"):
        gridded.runs_needed(-1.0)
    with pytest.raises(InputError, match="A power is between"):
        detectable(1.0, 5, 0.9, 80)


def test_no_effect_is_said_to_be_none() -> None:
    made = multiplier(
        chain(1.0, noise=0.01), by="recipe", law="power_law_with_floor", draws=SHORT, hold=KNOWN
    )

    assert not made.table["distinguishable"].item()
    assert "not distinguishable from no effect" in made.summary()


def test_repeated_seeds_measure_the_noise_of_a_run() -> None:
    one, other = chain(seed=0), chain(seed=1)
    both = Runs(pd.concat([one.table, other.table], ignore_index=True))
    single = multiplier(one, by="recipe", law="power_law_with_floor", draws=SHORT, hold=KNOWN)
    repeated = multiplier(both, by="recipe", law="power_law_with_floor", draws=SHORT, hold=KNOWN)

    difference = np.log(one.column("loss") / other.column("loss"))
    pooled = np.sqrt(np.mean(difference**2) / 2)  # of pairs: half the mean squared difference
    assert "single_seed" in [finding.code for finding in single.findings]
    assert "single_seed" not in [finding.code for finding in repeated.findings]
    assert repeated.noise >= pooled * (1 - 1e-9)
    assert repeated.noise == pytest.approx(0.004, rel=0.4)  # 40 runs: 12% a sigma


def test_recipes_whose_ranges_of_compute_lie_apart_are_a_serious_finding() -> None:
    runs = chain()
    apart = runs.where("(recipe = 'old' AND flops < 9e18) OR (recipe = 'new' AND flops > 1.1e19)")
    made = multiplier(apart, by="recipe", law="power_law_with_floor", draws=SHORT, hold=KNOWN)

    assert made.findings[0].code == "ranges_apart"


def test_several_recipes_are_compared_at_once_and_the_luck_of_many_is_named() -> None:
    runs = chain(1.3, noise=0.001)
    third = chain(2.0, noise=0.001, seed=5).where("recipe = 'new'").table.assign(recipe="third")
    every = Runs(pd.concat([runs.table, third], ignore_index=True))
    made = multiplier(
        every, by="recipe", law="power_law_with_floor", reference="old", draws=SHORT, hold=KNOWN
    )

    table = made.table.set_index("recipe")["multiplier"]
    assert table["new"] == pytest.approx(1.3, rel=0.1)
    assert table["third"] == pytest.approx(2.0, rel=0.1)
    assert "several_recipes" in [finding.code for finding in made.findings]


def test_tokens_alone_give_a_multiplier_of_tokens() -> None:
    runs = Runs(chain().table.rename(columns={"flops": "tokens"}))
    made = multiplier(
        runs, by="recipe", law="power_law_with_floor", inputs={"x": "tokens"}, draws=SHORT, hold=KNOWN
    )

    assert made.what == "tokens"
    assert "times the tokens" in made.verdict


@pytest.mark.parametrize(
    ("change", "arguments", "error", "words"),
    [
        ({}, {"by": "recipy"}, InputError, "Did you mean 'recipe'"),
        ({}, {"by": "recipe", "reference": "older"}, InputError, "Did you mean 'old'"),
        ({"recipe": "same"}, {"by": "recipe"}, FitError, "comparison needs two"),
        ({"recipe": [np.nan, *["a"] * 19]}, {"by": "recipe"}, TableError, "missing in row 1"),
        (
            {"recipe": [str(n // 2) for n in range(20)]},
            {"by": "recipe"},
            InputError,
            "Compare 2 to 7 recipes",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_way_out(
    change: dict[str, object], arguments: dict[str, str], error: type[Exception], words: str
) -> None:
    runs = Runs(chain().table.assign(**change))  # type: ignore[arg-type]

    with pytest.raises(error, match=words):
        multiplier(runs, law="power_law_with_floor", draws=2, **arguments)  # type: ignore[arg-type]


def test_a_recipe_of_one_run_is_refused_and_sent_to_compute_alone() -> None:
    table = grid(noise=0.001).table
    one = pd.concat([table[table["recipe"] == "old"], table[table["recipe"] == "new"].head(1)])

    with pytest.raises(
        FitError, match=r"'new' has 1 run, .* params and tokens take 2 .*power_law_with_floor"
    ):
        multiplier(Runs(one), by="recipe", draws=2)


def test_tokens_always_the_same_multiple_of_params_send_the_user_to_compute() -> None:
    runs = grid(noise=0.001)
    tied = Runs(runs.table.assign(tokens=20 * runs.column("params")))

    with pytest.raises(FitError, match="power_law_with_floor"):
        multiplier(tied, by="recipe", draws=2)


@pytest.mark.public_data
@pytest.mark.skipif(not GADRE.is_file(), reason=f"the public table is not at {GADRE}")
def test_the_two_data_sets_of_gadre_have_slopes_of_their_own_on_another_text() -> None:
    table = pd.read_csv(GADRE)
    made = multiplier(Runs(table.assign(loss=table["loss_openlm"])), by="dataset", draws=SHORT)

    assert made.table["runs"].item() in (34, 35)
    assert "slopes_differ" in [finding.code for finding in made.findings]
