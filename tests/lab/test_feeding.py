"""Text that lies on the device gives the same batches as text on the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from allometry.lab.data import Batches
from allometry.lab.feeding import HostFeed, ResidentFeed, open_feed

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_resident_batches_equal_those_from_the_host(dtype: type[np.uint16] | type[np.uint32]) -> None:
    ids = np.random.default_rng(0).integers(0, 60_000, 1000).astype(dtype)
    batches = Batches(ids, context=8, batch_tokens=32, seed=0)  # type: ignore[arg-type]
    host, resident = HostFeed(batches, CPU), ResidentFeed.load(batches, context=8, device=CPU)

    for step in (0, 1, 30, 31, 32, 100):  # the 32nd reaches into the second epoch
        assert torch.equal(resident.batch(step).inputs_BT, host.batch(step).inputs_BT)
        assert torch.equal(resident.batch(step).targets_BT, host.batch(step).targets_BT)
    assert resident.batch(0).inputs_BT.dtype == torch.int64


def test_the_cpu_is_fed_from_the_host() -> None:
    batches = Batches(np.arange(100, dtype=np.uint16), context=4, batch_tokens=8, seed=0)

    assert isinstance(open_feed(batches, context=4, device=CPU), HostFeed)


@pytest.mark.gpu
def test_a_gpu_holds_the_text_itself() -> None:
    batches = Batches(np.arange(100, dtype=np.uint16), context=4, batch_tokens=8, seed=0)
    device = torch.device("cuda")
    feed = open_feed(batches, context=4, device=device)

    assert isinstance(feed, ResidentFeed)
    assert torch.equal(feed.batch(3).inputs_BT.cpu(), HostFeed(batches, CPU).batch(3).inputs_BT)
