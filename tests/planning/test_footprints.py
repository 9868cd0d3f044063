"""Memory of training on each device: what fits, and on how many, against a paper and by counting up."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from allometry.architectures import StateSpace, Transformer
from allometry.errors import InputError
from allometry.planning.decoding import RESERVED
from allometry.planning.devices import DEVICES, Device
from allometry.planning.footprints import Footprint, Layout, footprint
from allometry.planning.memory import cache_bytes, training_memory

SHAPE = Transformer(vocab=50_257, context=1024, width=768, layers=12, heads=12)


def with_room(room: float) -> Device:
    """A device that leaves so many bytes beside the buffers."""
    device = DEVICES["v100-sxm"]
    return replace(device, memory=replace(device.memory, value=room / (1 - RESERVED)))


@pytest.mark.parametrize(("zero", "largest"), [(0, 2e9), (1, 7.6e9), (2, 14.4e9), (3, 128e9)])
def test_the_largest_model_on_64_devices_of_32_gigabytes_is_that_of_the_paper(
    zero: int, largest: float
) -> None:
    def fits(params: float) -> bool:
        return footprint(params, with_room(32e9), devices=64, layout=Layout(zero=zero)).fits

    # Rajbhandari et al. 2020, table 2, arXiv:1910.02054, theoretical, to the digits printed.
    assert fits(largest * 0.99)
    assert not fits(largest * 1.01)


@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("zero", [1, 2, 3])
def test_the_least_devices_are_those_that_counting_up_finds(zero: int, group: int) -> None:
    layout = Layout(zero=zero, micro_batch=2, tensor_parallel=group)

    def kept(devices: int, room: float = 32e9) -> Footprint:
        return footprint(SHAPE, with_room(room), devices=devices, layout=layout)

    alone, endless = kept(group).memory.total, kept(10**9 * group).memory.total
    room = endless + 0.15 * (alone - endless)

    least = kept(group, room).least_devices[zero]

    assert least == next(n for n in count(group, group) if kept(n, room).fits) == 7 * group  # 1 / 7 < 0.15


def test_parts_are_those_of_the_memory_of_training() -> None:
    asked: dict[str, Any] = {"tensor_parallel": 2, "sequence_parallel": True, "dropout": True}
    layout = Layout(zero=1, micro_batch=3, recompute="none", optimizer_bytes=8, **asked)

    found = footprint(SHAPE, DEVICES["h100-sxm"], devices=8, context=512, layout=layout)

    counted = {"sequences": 3, "context": 512, "devices": 4, "zero": 1, "optimizer_bytes": 8, **asked}
    assert found.memory == training_memory(SHAPE, recompute="none", **counted)
    assert found.activations["full"] == training_memory(SHAPE, recompute="full", **counted).activations
    assert found.sequence_bytes == cache_bytes(SHAPE, context=512)


def test_what_no_number_of_devices_can_hold_is_said_with_the_way_out() -> None:
    found = footprint(2e9, with_room(16e9), devices=64, layout=Layout(zero=0))

    assert found.least_devices[0] is None
    assert "on no number of devices: take a higher stage of ZeRO" in found.summary()


def test_what_fits_on_more_devices_says_on_how_many() -> None:
    found = footprint(7e9, DEVICES["h100-sxm"])  # 16 bytes · 7e9 = 112 GB, 72 GB each

    assert not found.fits
    assert "take 2 devices" in found.summary()
    assert "fits into 72 GB of 80 GB" in footprint(7e9, DEVICES["h100-sxm"], devices=2).summary()


def test_a_recurrence_says_that_its_activations_are_not_counted() -> None:
    found = footprint(StateSpace(vocab=256, context=128, width=32, layers=2), DEVICES["t4"])

    assert found.left_out.startswith("activations and logits of a recurrence")
    assert found.activations == {}
    assert found.sequence_bytes > 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"zero": 4}, "a stage of ZeRO, 0 to 3, not 4"),
        ({"micro_batch": 0}, "micro_batch must be a whole number"),
        ({"recompute": "all"}, "recompute = 'all' is not known"),
        ({"optimizer_bytes": -1.0}, "number of optimizer bytes per parameter is a number above zero"),
        ({"tensor_parallel": 3}, "8 devices cannot be parted into groups of 3"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        footprint(SHAPE, DEVICES["t4"], devices=8, layout=Layout(**wrong))
