"""Every verb of planning refuses what is no number that it can use, in one sentence with the way out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allometry.architectures import Transformer
from allometry.errors import InputError
from allometry.planning.allocation import allocate
from allometry.planning.compression import CompressionCurve
from allometry.planning.cost import budget_flops, cost_sheet
from allometry.planning.decoding import ServedModel, decode_step, prefill_seconds
from allometry.planning.devices import DEVICES
from allometry.planning.effective_compute import compute_gap, effective_flops, pace, pace_of, time_to
from allometry.planning.footprints import footprint
from allometry.planning.inference import Demand, lifetime_optimum
from allometry.planning.legal_shapes import legal_run
from allometry.planning.memory import model_states, weight_bytes
from allometry.planning.models.counting import count_model
from allometry.planning.models.families import PublicModel
from allometry.planning.published import published_fit
from allometry.planning.rates import training_rate
from allometry.planning.requirements import require
from allometry.planning.run_costs import price_run
from allometry.planning.standings import standing
from allometry.planning.triangle import equal_loss, floors

LAW, H100, RATE = "hoffmann_2022", DEVICES["h100-sxm"], training_rate("h100-sxm")
SURFACE, MODEL, DEMAND = published_fit(LAW).surface(), ServedModel(params=1e9), Demand(generated_tokens=1e12)
PACE = pace("x", 8, 5, 14, "made up")
PLAN = allocate(LAW, flops=1e19)


def asked(**more: Any) -> Any:
    return allocate(LAW, device="h100-sxm", price_as_of="2026-05", **more)


def taking(name: str, **more: Any) -> Callable[[Any], Any]:
    """A plan that is asked for with one argument."""
    return lambda x: asked(**more, **{name: x})


def rated(name: str) -> Callable[[Any], Any]:
    return lambda x: cost_sheet(1e21, training_rate("h100-sxm", **{name: x}))


BUDGETS = ("flops", "loss", "usd", "days", "device_hours", "kilowatt_hours")
AROUND = ("devices", "utilisation", "goodput", "usd_per_hour", "unique_tokens", "level", "tolerance")
VERBS: dict[str, Callable[[Any], Any]] = {
    **{f"allocate {name}": taking(name) for name in BUDGETS},
    **{f"allocate with {name}": taking(name, flops=1e21) for name in AROUND},
    **{f"rate {name}": rated(name) for name in ("watts", "pue", "kg_per_kwh")},
    "allocate serving": taking("serving_utilisation", flops=1e21, served_tokens=1e12),
    "cost_sheet": lambda x: cost_sheet(x, RATE),
    "cost_sheet devices": lambda x: cost_sheet(1e21, RATE, devices=x),
    "cost_sheet development": lambda x: cost_sheet(1e21, RATE, development=x),
    "price_run params": lambda x: price_run(params=x, tokens=1e9, rate=RATE),
    "price_run tokens": lambda x: price_run(params=1e9, tokens=x, rate=RATE),
    "budget_flops": lambda x: budget_flops(RATE, usd=x),
    "Demand": lambda x: Demand(generated_tokens=1.0, attempts=x),
    "lifetime loss": lambda x: lifetime_optimum(SURFACE, DEMAND, loss=x),
    "lifetime flops": lambda x: lifetime_optimum(SURFACE, DEMAND, flops=x),
    "require loss": lambda x: require(LAW, loss=x),
    "require stock": lambda x: require(LAW, loss=2.2, unique_tokens=x),
    "floors": lambda x: floors(LAW, loss=x),
    "equal_loss": lambda x: equal_loss(LAW, loss=2.2, params=x),
    "standing params": lambda x: standing(LAW, params=x, tokens=1e9),
    "standing tokens": lambda x: standing(LAW, params=1e9, tokens=x),
    "standing stock": lambda x: standing(LAW, params=1e9, tokens=1e9, unique_tokens=x),
    "standing level": lambda x: standing(LAW, params=1e9, tokens=1e9, level=x),
    "effective_flops": effective_flops,
    "compute_gap": lambda x: compute_gap(SURFACE, loss=2.0, flops=x),
    "pace": lambda x: pace("x", x, 1, 9, "made up"),
    "pace_of": lambda x: pace_of("x", [1, 2, 3], [1, x, 3], source="made up"),
    "time_to": lambda x: time_to(x, PACE),
    "ServedModel": lambda x: ServedModel(params=x),
    "decode_step batch": lambda x: decode_step(MODEL, H100, batch=x),
    "prefill": lambda x: prefill_seconds(MODEL, H100, prompt=x, utilisation=0.4),
    "weight_bytes": lambda x: weight_bytes(x, "int4"),
    "model_states": model_states,
    "footprint": lambda x: footprint(x, H100),
    "legal_run rate": lambda x: legal_run(PLAN, learning_rate=x),
    "legal_run batch": lambda x: legal_run(PLAN, batch_tokens=x),
    "CompressionCurve": lambda x: CompressionCurve(ratios=(1, x), accuracies=(1.0, 0.9), source="made up"),
    "published optimum": lambda x: published_fit(LAW).optimum(x),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_number_above_zero_gets_one_sentence(verb: str) -> None:
    for wrong in ("abc", "$2.50", math.nan, math.inf, -1.0, 0.0, True, [1e21]):
        if verb == "equal_loss" and wrong == [1e21]:
            continue  # many sizes are asked for at once
        with pytest.raises(InputError) as told:
            VERBS[verb](wrong)
        assert len(str(told.value)) < 350


def test_a_price_as_text_is_told_the_number_that_it_stands_for() -> None:
    with pytest.raises(InputError, match=r"usd is a number, not the text '\$2\.50': write 2\.5\."):
        allocate(LAW, usd="$2.50", device="h100-sxm")  # type: ignore[arg-type]


def test_what_is_no_fit_and_what_is_no_device_are_named() -> None:
    with pytest.raises(InputError, match=r"the name of a published law such as 'besiroglu_2024'; not 3\.0"):
        allocate(3.0, flops=1e21)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a name such as 'h100-sxm' or a Device, not 8"):
        allocate(LAW, flops=1e21, device=8)  # type: ignore[arg-type]


def test_more_tokens_than_learned_positions_are_refused_and_more_than_rotary_ones_are_not() -> None:
    def counted(positions: Any) -> Any:
        shape = Transformer(vocab=64, context=128, width=32, layers=1, heads=2, positions=positions)
        return count_model(PublicModel(family="ours", shape=shape, context=128), context=256)

    with pytest.raises(InputError, match="learned positions for 128 tokens and none for 256"):
        counted("learned")
    assert counted("rotary").context == 256


def test_a_context_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="A context belongs to a model"):
        price_run(params=1e9, tokens=1e9, context=2048, rate=RATE)
