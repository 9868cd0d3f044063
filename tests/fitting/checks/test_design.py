"""Checks of the design: can these runs carry the law at all?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Finding, Fit, bootstrap, check, fit
from allometry.fitting.checks import CHECKS
from allometry.laws import chinchilla
from allometry.runs.run import Runs

Ladder = Callable[..., Runs]
Find = Callable[[str, Fit], Finding]


def test_twelve_runs_of_a_law_of_five_coefficients_are_few(ladder: Ladder, finding: Find) -> None:
    few = finding("few_runs", fit("chinchilla", ladder(noise=0.002, sizes=4, horizons=3)))

    assert few.sentence == "12 runs carry 5 open coefficients (2.4 runs each)."
    assert few.remedy.startswith("Add runs, to 15 or more")


@pytest.mark.parametrize(
    ("hold", "words"), [({}, "Only 1 more run than"), ({"E": 1.8}, "Only 2 more runs than")]
)
def test_a_law_with_nearly_as_many_coefficients_as_runs_is_saturated(
    hold: dict[str, float], words: str, ladder: Ladder, finding: Find
) -> None:
    found = fit("chinchilla", ladder(noise=0.002, sizes=3, horizons=2), hold=hold, starts=4)

    assert words in finding("saturated", found).sentence


def test_two_sizes_say_nothing_of_a_floor(ladder: Ladder, finding: Find) -> None:
    found = finding(
        "few_levels", fit("chinchilla", ladder(noise=0.002, sizes=2, horizons=6), hold={"E": 1.8})
    )

    assert found.sentence.startswith("In these runs params takes only 2 values: ")
    assert found.evidence == {"params": 2, "tokens": 12}


def test_a_range_of_less_than_a_decade_of_compute_is_short(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    # From (2e6)^2 x 5 to (3e7)^2 x 60 are 3.43 decades of 6ND; the 0.2th power leaves 0.69 of them.
    near = {name: 1e7 * (ladder().column(name) / 1e7) ** 0.2 for name in ("params", "tokens")}

    found = finding("short_range", fit("chinchilla", changed(ladder(0.002), **near)))

    assert "span 0.69 decades of flops" in found.sentence


def test_tokens_that_nearly_follow_params_are_collinear(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    params = ladder().column("params")
    tokens = 20 * params * np.exp(0.1 * np.random.default_rng(0).standard_normal(20))

    found = finding("collinear", fit("chinchilla", changed(ladder(), tokens=tokens)))

    x, y = np.log(params) - np.log(params).mean(), np.log(tokens) - np.log(tokens).mean()
    assert found.evidence["correlation"] == pytest.approx(x @ y / np.sqrt((x @ x) * (y @ y)))


def test_compute_of_six_n_d_is_named_and_its_power_held_at_zero(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    runs = ladder()
    flops = 6 * runs.column("params") * runs.column("tokens")
    loss = 300 * runs.column("params") ** -0.08 * runs.column("tokens") ** -0.1

    found = fit("product", changed(runs, flops=flops, loss=loss))

    dependent = finding("dependent_input", found)
    assert "flops = 6 · params · tokens" in dependent.sentence
    assert "gamma is held at 0" in dependent.sentence
    assert found.held == {"gamma": 0.0}
    assert found.coefficients == pytest.approx({"k": 300, "alpha": -0.08, "beta": -0.1, "gamma": 0})


def test_a_budget_whose_best_model_is_the_largest_is_unbracketed(finding: Find) -> None:
    sizes = np.array([1e7, 2e7, 4e7, 8e7])  # optimal are 2.8e7 at 1e17 FLOP and 1.8e9 at 1e21
    budgets = np.repeat([1e17, 1e21], 4)
    table = pd.DataFrame({"params": np.tile(sizes, 2), "tokens": budgets / 6 / np.tile(sizes, 2)})
    truth = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    loss = chinchilla.evaluate({"params": table["params"], "tokens": table["tokens"]}, truth)

    found = finding("edge_minimum", fit("chinchilla", Runs(table.assign(loss=loss))))

    assert found.evidence == {"1e+21 FLOP": "at the edge"}


def test_many_runs_without_budgets_that_fall_close_by_chance_are_no_budgets() -> None:
    rng = np.random.default_rng(0)
    params = 10 ** rng.uniform(7, 9, 200)
    tokens = params * 5 * 20 ** rng.random(200)
    truth = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    loss = chinchilla.evaluate({"params": params, "tokens": tokens}, truth)
    runs = Runs(pd.DataFrame({"params": params, "tokens": tokens, "loss": loss}))

    assert "edge_minimum" not in {one.code for one in check(fit("chinchilla", runs))}


@pytest.mark.parametrize(("copies", "words"), [(1, "1 run repeats"), (3, "3 runs repeat")])
def test_rows_that_repeat_bit_for_bit_are_counted(
    copies: int, words: str, ladder: Ladder, finding: Find
) -> None:
    table = ladder(0.002).table

    twice = Runs(pd.concat([table, table.head(copies)], ignore_index=True))

    assert words in finding("duplicated_runs", fit("chinchilla", twice)).sentence


def test_branches_of_one_trunk_drawn_one_by_one_are_noted_until_drawn_together(
    with_facts: Callable[..., Fit], finding: Find
) -> None:
    ids = tuple(f"run {row}" for row in range(40))
    parents = [None if row % 4 == 0 else f"run {row - row % 4}" for row in range(40)]
    found = with_facts(run_ids=ids, parent=parents)

    shared = finding("shared_trunk", found)

    assert shared.evidence == {"runs": 40, "trunks": 10}
    together = bootstrap(found, draws=2, unit="trunk", resampling="pairs")
    assert "shared_trunk" not in {one.code for one in together.findings}
    with pytest.raises(AssertionError, match="found nothing"):
        finding("shared_trunk", together)


def test_settings_trained_once_are_noted(ladder: Ladder, finding: Find) -> None:
    assert finding("single_seed", fit("chinchilla", ladder(0.002))).evidence == {"settings": 20}


def test_one_run_far_beyond_the_others_has_leverage(
    ladder: Ladder, sound: Fit, finding: Find, truth: dict[str, float]
) -> None:
    far = {"params": 1e11, "tokens": 1e13}
    row = {**far, "loss": float(chinchilla.evaluate(far, truth))}  # on the law: without it nothing changes
    table = pd.concat([ladder(noise=0.003).table, pd.DataFrame([row])], ignore_index=True)

    found = finding("leverage", fit("chinchilla", Runs(table), starts=4))

    assert "'row 21'" in found.sentence
    assert float(found.evidence["row 21"]) > 0.9
    assert CHECKS["leverage"].find(sound) is None


def test_leverage_is_the_diagonal_of_the_hat_matrix_of_a_straight_line(finding: Find) -> None:
    x = np.append(np.geomspace(1.0, 10.0, 9), 1e4)
    found = fit("power_law", Runs(pd.DataFrame({"x": x, "loss": 3 * x**-0.2})))

    centred = np.log(x) - np.log(x).mean()
    assert finding("leverage", found).evidence["row 10"] == pytest.approx(
        0.1 + centred[-1] ** 2 / (centred @ centred)
    )
