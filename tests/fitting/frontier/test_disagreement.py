"""Several approaches on one budget, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from allometry.fitting import bootstrap, fit
from allometry.fitting.frontier.disagreement import check_disagreement, disagreement
from allometry.fitting.frontier.isoflop import iso_flop
from allometry.laws import chinchilla
from allometry.runs.run import Runs

LAW = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.465, "beta": 0.155}
BUDGETS = (1e17, 1e18, 1e19, 1e20, 1e21)


def wide_profiles(noise: float, width: float) -> Runs:
    """Profiles centred on the optimum, on a surface where wide parabolas are known to be wrong."""
    scale = (0.465 * 406.4 / (0.155 * 410.7)) ** (1 / 0.62)
    flops = np.repeat(BUDGETS, 15)
    params = scale * (flops / 6) ** 0.25 * np.tile(np.geomspace(1 / width, width, 15), len(BUDGETS))
    loss = chinchilla.evaluate({"params": params, "tokens": flops / 6 / params}, LAW)
    loss = loss * np.exp(noise * np.random.default_rng(0).standard_normal(len(loss)))
    return Runs(pd.DataFrame({"flops": flops, "params": params, "tokens": flops / 6 / params, "loss": loss}))


def table_of(runs: Runs, flops: float = 1e22) -> pd.DataFrame:
    three = bootstrap(fit("chinchilla", runs), draws=100)
    return disagreement({"approach 2": iso_flop(runs, draws=100), "approach 3": three}, flops)


def test_each_number_is_that_of_the_fits_own_optimum() -> None:
    runs = wide_profiles(0.001, 4)
    three = fit("chinchilla", runs)

    row = disagreement({"approach 3": three}, 1e22).iloc[0]

    best = three.optimum(1e22)
    assert (row["params"], row["tokens"], row["loss"]) == (
        best.params.value, best.tokens.value, best.loss.value,
    )  # fmt: skip
    assert row["tokens_per_param"] == pytest.approx(best.tokens.value / best.params.value)


def test_a_biased_parabola_and_the_surface_exclude_each_other() -> None:
    findings = check_disagreement(table_of(wide_profiles(0.0005, 16)))

    assert [finding.code for finding in findings] == ["approaches_disagree"] * 2
    assert "by a factor 1." in findings[0].sentence


def test_on_narrow_grids_the_approaches_agree() -> None:
    table = table_of(wide_profiles(0.002, 3))

    assert check_disagreement(table) == []
    assert (table["tokens_per_param_low"] < table["tokens_per_param"]).all()


def test_without_intervals_nothing_excludes_anything() -> None:
    runs = wide_profiles(0.0005, 16)
    table = disagreement({"approach 2": iso_flop(runs, draws=0), "approach 3": fit("chinchilla", runs)}, 1e22)

    assert check_disagreement(table) == []
