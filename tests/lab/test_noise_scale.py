"""The gradient noise scale against a problem whose gradient and noise are known exactly."""

import math

import numpy as np
import pytest
import torch

from allometry.errors import InputError
from allometry.lab.noise_scale import from_products, noise_scale

DIMENSIONS, NOISE = 40, 0.5


class Point(torch.nn.Module):
    """A weight that is pulled to each example: the gradient of one is (weight - example)."""

    def __init__(self, away: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((DIMENSIONS,), away))


def pull(model: torch.nn.Module, examples: torch.Tensor) -> torch.Tensor:
    weight = model.get_parameter("weight")
    return ((weight - examples[:, :-1]) ** 2).sum(dim=1).mean() / 2


def examples(count: int, seed: int) -> torch.Tensor:
    # One number more than dimensions: an example counts as DIMENSIONS tokens.
    return NOISE * torch.randn(count, DIMENSIONS + 1, generator=torch.Generator().manual_seed(seed))


def test_known_gradient_and_noise_are_found() -> None:
    found = noise_scale(Point(0.1), pull, examples(4096, 0), parts=16)

    assert found.gradient_squared == pytest.approx(DIMENSIONS * 0.1**2, rel=0.1)
    assert found.variance_tokens == pytest.approx(DIMENSIONS * DIMENSIONS * NOISE**2, rel=0.15)
    assert found.critical_batch_tokens == found.variance_tokens / found.gradient_squared


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = DIMENSIONS * NOISE**2 / 0.1**2
    found = [noise_scale(Point(0.1), pull, examples(512, seed), parts=8) for seed in range(100)]

    held = sum(one.low <= truth <= one.high for one in found)

    assert 82 <= held <= 98  # 90 of 100, three standard errors


def test_it_is_the_two_batch_estimator_of_a_part_and_the_whole() -> None:
    gradients = np.random.default_rng(0).normal(size=(6, 9)) + 1
    part, whole = 32, 6 * 32

    found = from_products(gradients @ gradients.T, part_tokens=part)

    small = (gradients**2).sum(axis=1).mean()
    large = (gradients.mean(axis=0) ** 2).sum()
    # McCandlish et al. 2018, appendix A.1
    assert found.gradient_squared == pytest.approx((whole * large - part * small) / (whole - part))
    assert found.variance_tokens == pytest.approx((small - large) / (1 / part - 1 / whole))


def test_the_interval_reaches_to_students_t_times_the_jackknifes_error() -> None:
    gradients = np.random.default_rng(0).normal(size=(6, 9)) + 1
    without = [np.delete(gradients, part, axis=0) for part in range(6)]

    found = from_products(gradients @ gradients.T, part_tokens=32, level=0.9)

    logs = [math.log(from_products(g @ g.T, part_tokens=32).critical_batch_tokens) for g in without]
    error = math.sqrt(5 * np.var(logs))
    assert math.log(found.high / found.low) / 2 == pytest.approx(2.015 * error, rel=5e-4)  # printed tables


def test_a_gradient_that_is_lost_in_noise_has_no_upper_end() -> None:
    found = from_products(np.eye(5) - 0.01, part_tokens=8)

    assert found.critical_batch_tokens == math.inf
    assert found.high == math.inf


def test_a_batch_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(InputError, match="a sequence for each, not 16 parts of 4 sequences; give a larger"):
        noise_scale(Point(0.1), pull, examples(4, 0))
