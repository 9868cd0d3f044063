"""What is asked of an accelerator before it computes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from allometry.errors import InputError
from allometry.lab.devices import open_device


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that says it has one; nothing is computed there."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def test_kernels_of_an_accelerator_give_the_same_bits_each_time(one_gpu: None) -> None:
    assert open_device("cuda") == torch.device("cuda")

    assert torch.are_deterministic_algorithms_enabled()
    # One of the two settings by which cuBLAS gives the same bits, by its documentation.
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")


def test_a_device_that_is_not_there_is_a_sentence_that_lists_those_there_are(one_gpu: None) -> None:
    with pytest.raises(InputError, match=r"no device 'cuda:1' here\. There are: cpu, cuda:0"):
        open_device("cuda:1")


def test_the_processor_keeps_its_kernels() -> None:
    open_device("cpu")

    assert not torch.are_deterministic_algorithms_enabled()
