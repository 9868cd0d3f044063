"""Additive laws: limits, translations, and numbers that the papers state of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from allometry.laws import chinchilla, chinchilla_tied, kaplan, kaplan_flops, kaplan_params, kaplan_tokens

TABLE = Path(__file__).parents[3] / "shared" / "data" / "gadre_overtraining.csv"
PF_DAY = 1e15 * 86_400


def test_doubling_parameters_multiplies_kaplans_loss_by_0_95() -> None:
    small, large = kaplan_params.evaluate({"params": [1e8, 2e8]}, kaplan_params.typical)

    assert large / small == pytest.approx(0.95, abs=0.005)  # Kaplan et al. 2020, section 1.2


def test_ten_thousand_petaflop_days_reach_1_7_nats_by_kaplan() -> None:
    loss = kaplan_flops.evaluate({"flops": 1e4 * PF_DAY}, kaplan_flops.typical)

    assert float(loss) == pytest.approx(1.7, abs=0.05)  # Kaplan et al. 2020, section 6.3


@pytest.mark.parametrize(
    ("alone", "plenty"), [(kaplan_params, {"tokens": 1e40}), (kaplan_tokens, {"params": 1e40})]
)
def test_kaplans_law_of_both_tends_to_the_law_of_what_is_short(alone, plenty) -> None:  # type: ignore[no-untyped-def]
    scarce = {alone.reads[0]: np.array([1e8, 1e9, 1e10])}
    same = {name: kaplan.typical[name] for name in alone.names}

    both = kaplan.evaluate({**scarce, **plenty}, kaplan.typical)

    np.testing.assert_allclose(both, alone.evaluate(scarce, same), rtol=1e-9)


def test_tied_exponents_are_chinchillas_law_in_other_coefficients() -> None:
    sizes = {"params": np.array([1e7, 1e9, 3e10]), "tokens": np.array([1e11, 2e10, 5e10])}
    tied = {"E": 1.5, "a": 141.0, "b": 190.0, "eta": 0.121}
    translated = {"E": 1.5, "A": 141 / 6**0.121, "B": 190 / 6**0.121, "alpha": 0.242, "beta": 0.242}

    np.testing.assert_allclose(
        chinchilla_tied.evaluate(sizes, tied), chinchilla.evaluate(sizes, translated), rtol=1e-12
    )


def test_with_tied_exponents_the_best_tokens_per_parameter_are_the_same_at_any_compute() -> None:
    ratio = np.geomspace(0.1, 1000, 4001)
    best = []
    for flops in (1e18, 1e22):
        params = np.sqrt(flops / (6 * ratio))
        loss = chinchilla_tied.evaluate({"params": params, "tokens": ratio * params}, chinchilla_tied.typical)
        best.append(ratio[loss.argmin()])

    # Where a·M^eta and b·M^-eta are equal.
    np.testing.assert_allclose(best, (190 / 141) ** (1 / 0.242), rtol=3e-3)  # grid step


@pytest.mark.public_data
@pytest.mark.skipif(not TABLE.is_file(), reason=f"the public table is not at {TABLE}")
def test_the_published_tied_law_describes_the_published_runs_on_c4() -> None:
    runs = pd.read_csv(TABLE).query("dataset == 'c4_original'")

    loss = chinchilla_tied.evaluate(
        {name: runs[name] for name in chinchilla_tied.reads}, chinchilla_tied.typical
    )

    assert np.median(np.abs(loss / runs["loss"] - 1)) < 0.02
