"""Scores of open models on eight benchmarks: Ruan et al. 2024, arXiv:2405.10938."""

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.public_data

SCORES = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]
ABOUT = 0.01  # published as "about" whole percents


def test_three_components_hold_the_published_shares_of_the_scores(published: Any) -> None:
    scores = published("obs_scaling").table[SCORES].dropna().to_numpy()
    variances = np.linalg.svd(scores - scores.mean(axis=0), compute_uv=False) ** 2
    shares = variances.cumsum() / variances.sum()

    assert shares[0] == pytest.approx(0.85, abs=ABOUT)
    assert shares[2] == pytest.approx(0.97, abs=ABOUT)
