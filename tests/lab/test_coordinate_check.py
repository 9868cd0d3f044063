"""What the coordinate check measures is what was there."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from allometry.errors import InputError
from allometry.lab.coordinate_check import CoordinateCheck, coordinate_check
from allometry.lab.parametrization import at_width, build_model
from allometry.lab.tokens import prepare_tokens
from allometry.recipe import MuP, Recipe


def made_up(sizes: dict[str, list[float]]) -> CoordinateCheck:
    """A check whose modules change by these sizes at widths 10, 100 and 1000."""
    rows = [
        {"module": module, "width": width, "step": step, "size": 1.0, "change": change * step}
        for module, changes in sizes.items()
        for width, change in zip((10, 100, 1000), changes, strict=True)
        for step in (0, 1)
    ]
    return CoordinateCheck(table=pd.DataFrame(rows))


def test_a_slope_is_the_power_of_the_width_that_a_change_follows() -> None:
    check = made_up({"flat": [3, 3, 3], "grows": [1, 10, 100], "shrinks": [1, 0.1, 0.01], "root": [1, 2, 4]})

    slopes = check.slopes().set_index("module")["slope"]

    assert slopes.to_dict() == pytest.approx(
        {"grows": 1, "root": 0.30103, "flat": 0, "shrinks": -1}, abs=1e-5
    )
    assert check.drifting() == ["grows", "shrinks"]
    assert check.drifting(growth=0.3) == ["grows", "root", "shrinks"]


def test_sizes_are_the_root_mean_squares_of_what_the_modules_put_out(tiny: Recipe) -> None:
    text = prepare_tokens(tiny.data)
    table = coordinate_check(tiny, (16, 32), steps=1, seeds=1, text=text).table
    batches = text.batches(context=16, batch_tokens=tiny.batch_tokens, seed=tiny.seed)

    probe = torch.from_numpy(batches.batch(1))[:, :-1]
    model = build_model(at_width(tiny, 32)).requires_grad_(False)
    start = table[(table["width"] == 32) & (table["step"] == 0)].set_index("module")
    assert start.loc["head", "size"] == pytest.approx(float(model(probe).square().mean().sqrt()), rel=1e-5)
    assert start.loc["token", "size"] == pytest.approx(float(model.token(probe).square().mean().sqrt()))
    assert (start["change"] == 0).all()
    later = table[table["step"] == 1].set_index("module")
    assert (later.loc[["head", "token"], "change"] > 0).all()


def test_a_wider_model_has_more_heads_or_wider_ones_as_stated(tiny: Recipe) -> None:
    wider_heads = replace(tiny, parametrization=MuP(base_width=16, base_head_width=16))

    assert at_width(tiny, 64).architecture.dimensions()["heads"] == 4
    assert at_width(wider_heads, 64).architecture.dimensions()["heads"] == 1


@pytest.mark.parametrize(("widths", "steps"), [((16,), 1), ((16, 16), 1), ((), 1), ((16, 32), 0)])
def test_a_check_of_nothing_is_refused(tiny: Recipe, widths: tuple[int, ...], steps: int) -> None:
    with pytest.raises(InputError, match="at least two widths over at least one step"):
        coordinate_check(tiny, widths, steps=steps)
