"""Checks by refitting: would another run, objective, floor or way of counting say something else?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import Finding, Fit, Severity, fit
from allometry.fitting.checks import CHECKS
from allometry.laws import chinchilla
from allometry.runs.run import Runs

Ladder = Callable[..., Runs]
Find = Callable[[str, Fit], Finding]

FLOPS = np.array([1e18, 3e18, 1e19, 3e19, 1e20, 3e20])
LOSS = np.array([3.522, 3.339, 3.154, 3.000, 2.848, 2.725])


def no_floor(ladder: Ladder, changed: Ladder, noise: float) -> Runs:
    runs = ladder()
    loss = 20 * runs.column("params") ** -0.1 + 20 * runs.column("tokens") ** -0.1
    return changed(runs, loss=loss * np.exp(noise * np.random.default_rng(3).standard_normal(20)))


def test_runs_of_a_law_without_a_floor_have_none(ladder: Ladder, changed: Ladder, finding: Find) -> None:
    found = fit("chinchilla", no_floor(ladder, changed, 0.0), starts=4)

    assert found.coefficients["E"] < 1e-3
    assert finding("no_floor", found).sentence.startswith("The floor E is zero beside the smallest loss")
    little = replace(found, coefficients={**found.coefficients, "E": 0.05})
    assert "0.05, next to nothing beside" in finding("no_floor", little).sentence


def test_floors_that_six_losses_allow_are_shown_with_their_forecasts(finding: Find) -> None:
    runs = Runs(pd.DataFrame({"x": FLOPS, "loss": LOSS}))

    found = finding("floor_not_determined", fit("power_law_with_floor", runs))

    assert found.severity is Severity.NOTE
    held = fit("power_law_with_floor", runs, hold={"E": 0.0})
    there = float(held.law.evaluate({"x": 3e22}, held.coefficients))
    assert found.evidence["forecast if E = 0"] == pytest.approx(there, rel=1e-4)
    assert list(found.evidence.values()) == sorted(found.evidence.values(), key=float)


def test_a_floor_that_may_be_nothing_is_a_warning(ladder: Ladder, changed: Ladder, finding: Find) -> None:
    found = finding("floor_not_determined", fit("chinchilla", no_floor(ladder, changed, 0.003), starts=4))

    assert found.severity is Severity.WARNING
    assert found.sentence.startswith("Floors E from 0 to ")


def test_what_was_held_is_noted_unless_it_is_an_exponent_of_zero(sound: Fit, finding: Find) -> None:
    one, two = (replace(sound, held=held) for held in ({"E": 0.0}, {"E": 1.8, "beta": 0.37}))

    assert finding("pinned", one).sentence.startswith("E = 0 was held, not estimated")
    assert finding("pinned", two).sentence.startswith("E = 1.8 and beta = 0.37 were held, not estimated")
    assert CHECKS["pinned"].find(replace(sound, held={"alpha": 0.0})) is None


def test_one_wrong_run_that_moves_an_exponent_is_named(
    ladder: Ladder, changed: Ladder, finding: Find
) -> None:
    loss = ladder().column("loss").copy()
    loss[-1] *= 1.2

    found = finding(
        "one_run_decides", fit("chinchilla", changed(ladder(), loss=loss), objective="least_squares")
    )

    assert found.evidence["run"] == "row 20"


def test_two_wrong_runs_of_forty_that_move_an_exponent_are_counted(sound: Fit, finding: Find) -> None:
    output = sound.data.output.copy()
    output[[19, 39]] *= 1.1  # both seeds of the largest run
    table = pd.DataFrame({"params": sound.data.inputs["params"], "tokens": sound.data.inputs["tokens"]})

    found = fit("chinchilla", Runs(table.assign(loss=output)), objective="least_squares", starts=4)

    few = finding("few_runs_decide", found)
    name, change = max(few.evidence.items(), key=lambda pair: abs(float(pair[1])))
    assert f"Without the 2 runs that lie furthest from the law, {name} is" in few.sentence
    assert found.coefficients[name] * (1 + float(change)) == pytest.approx(sound.coefficients[name], rel=0.05)


def test_objectives_part_where_runs_do_not_scatter_alike(sound: Fit, finding: Find) -> None:
    output = sound.data.output.copy()
    output[[14, 18, 19]] *= 1.06  # large runs that went wrong: least squares follows them, Huber does not
    table = pd.DataFrame({"params": sound.data.inputs["params"], "tokens": sound.data.inputs["tokens"]})

    found = finding("objectives_disagree", fit("chinchilla", Runs(table.assign(loss=output)), starts=4))

    values = {name: float(value) for name, value in found.evidence.items()}
    assert max(values, key=values.__getitem__) == "least_squares"
    assert f"{max(values.values()) / min(values.values()) - 1:.1%} apart" in found.sentence


def test_exponents_that_change_with_what_counts_are_shown_for_each_way(
    ladder: Ladder, changed: Ladder, truth: dict[str, float], finding: Find
) -> None:
    runs = ladder()
    total = runs.column("params") + 2e6  # the law was made for parameters without the embedding
    counted = changed(runs, params_total=total, params_embedding=2e6, params=total)

    found = finding("conventions_matter", fit("chinchilla", counted, starts=4))

    assert found.evidence["alpha, non_embedding"] == pytest.approx(truth["alpha"], rel=1e-6)
    assert "counting" not in found.sentence


def test_exponents_that_move_together_are_tied_in_any_unit_and_scales_are_not(
    sound_drawn: Fit, finding: Find
) -> None:
    assert sound_drawn.draws is not None
    draws = sound_drawn.draws
    scale = np.corrcoef(np.log(draws["A"]), draws["alpha"])[0, 1]
    tied = replace(sound_drawn, draws=draws.assign(beta=0.4 - 0.1 * draws["alpha"]))

    assert scale > 0.99  # as in all fits whose runs are far from one parameter
    assert CHECKS["tied_coefficients"].find(sound_drawn) is None
    assert finding("tied_coefficients", tied).evidence == {"beta and alpha": pytest.approx(-1)}


def test_a_lower_envelope_is_not_asked_to_agree_with_the_middle(ladder: Ladder) -> None:
    found = fit("chinchilla", ladder(0.02), objective="lower_envelope", starts=4)

    assert CHECKS["objectives_disagree"].find(found) is None
    assert CHECKS["floor_not_determined"].find(found) is None


def test_the_law_of_the_ladder_is_the_one_the_tests_believe_in(
    ladder: Ladder, truth: dict[str, float]
) -> None:
    runs = ladder()
    inputs = {name: runs.column(name) for name in ("params", "tokens")}

    np.testing.assert_allclose(runs.column("loss"), chinchilla.evaluate(inputs, truth))
