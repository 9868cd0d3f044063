"""The same recipe at several widths and rates; muP keeps the best rate where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from allometry.architectures import Transformer
from allometry.errors import InputError
from allometry.fitting.learning_rates import best_rates, rate_drift
from allometry.lab.rate_transfer import DESIGN, learning_rate_transfer
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import AdamW, Bpe, Data, Muon, MuP, Recipe, StandardLibrary, Wsd
from allometry.runs.study import Study


def test_every_width_is_trained_with_every_seed_and_kept(tiny: Recipe, tmp_path: Path) -> None:
    short = replace(tiny, tokens=8 * 64, optimizer=Muon(learning_rate=1.0, others=AdamW(learning_rate=0.5)))
    study, text = Study.create(tmp_path / "study", ""), prepare_tokens(tiny.data)

    runs = learning_rate_transfer(short, (16, 32), (0.01,), seeds=2, study=study, text=text)

    made = {tuple(row) for row in runs.table[["width", "learning_rate", "seed"]].itertuples(index=False)}
    assert made == {(width, 0.01, seed) for width in (16, 32) for seed in (0, 1)}
    assert set(runs.table["design"]) == {DESIGN}
    assert set(runs.table["status"]) == {"done"}
    recipes = [Recipe.from_toml(path.read_text()) for path in study.folder.glob("runs/*/recipe.toml")]
    assert {recipe.architecture.dimensions()["heads"] for recipe in recipes} == {1, 2}
    assert {recipe.optimizer.others.learning_rate for recipe in recipes} == {0.005}  # type: ignore[union-attr]


@pytest.mark.parametrize(("widths", "rates", "seeds"), [((), (0.1,), 1), ((16,), (), 1), ((16,), (0.1,), 0)])
def test_transfer_of_nothing_is_refused(
    tiny: Recipe, widths: tuple[int, ...], rates: tuple[float, ...], seeds: int
) -> None:
    with pytest.raises(InputError, match="needs a width, a rate and a seed at least"):
        learning_rate_transfer(tiny, widths, rates, seeds=seeds)


@pytest.mark.slow
def test_the_best_rate_moves_less_under_mup() -> None:
    recipe = Recipe(
        architecture=Transformer(vocab=512, context=32, width=16, layers=2, heads=1),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Wsd(warmup_fraction=0.1),
        data=Data(corpus=StandardLibrary(bytes=1_000_000), tokenizer=Bpe(vocab=512), held_out_tokens=8192),
        tokens=65_536,
        batch_tokens=512,
    )
    rates, text = [0.0025 * 2**step for step in range(8)], prepare_tokens(recipe.data)

    drifts = [
        rate_drift(best_rates(learning_rate_transfer(one, (16, 128), rates, text=text)))
        for one in (recipe, replace(recipe, parametrization=MuP(base_width=16)))
    ]

    standard, mup = drifts
    assert standard < -0.4  # Yang et al. 2022, figure 1: the best rate of a wider model is lower
    assert abs(mup) < abs(standard) / 2
