"""Which runs compete at which compute, and which of them has the least loss: the matrix behind approach 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allometry.fitting.frontier.compute_budgets import Measured
from allometry.fitting.frontier.profile_curves import SAME_SIZE

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Runs against places of compute.

    Attributes:
        run_ids, params: One entry a run.
        flops, tokens, output: Of shape (runs, places); output is infinite where a run does not compete.
    """

    run_ids: tuple[str, ...]
    params: Array
    flops: Array
    tokens: Array
    output: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Envelope:
    """The best run of each place, of shape (places,).

    Attributes:
        run: Row of the best run; meaningless where `kept` is false.
        kept: Whether the place is a point of the frontier: runs smaller and larger than the best one
            compete there too, and no run of less compute is better.
        at_edge: Whether it is not one because the best run is the smallest or largest there.
    """

    run: NDArray[np.intp]
    kept: Mask
    at_edge: Mask


def from_curves(measured: Measured, points: int) -> Candidates:
    """Training curves, each interpolated in log loss against log compute over its own range."""
    names = tuple(dict.fromkeys(measured.run_ids))
    ids = np.array(measured.run_ids)
    grid = np.geomspace(measured.flops.min(), measured.flops.max(), points)
    params, tokens, output = np.empty(len(names)), [], []
    for row, name in enumerate(names):
        mine = np.flatnonzero(ids == name)
        mine = mine[np.argsort(measured.flops[mine], kind="stable")]
        spent = np.log(measured.flops[mine])
        inside = (grid >= measured.flops[mine[0]]) & (grid <= measured.flops[mine[-1]])
        loss = np.exp(np.interp(np.log(grid), spent, np.log(measured.output[mine])))
        params[row] = measured.params[mine[0]]
        tokens.append(np.exp(np.interp(np.log(grid), spent, np.log(measured.tokens[mine]))))
        output.append(np.where(inside, loss, np.inf))
    flops = np.broadcast_to(grid, (len(names), points))
    return Candidates(
        run_ids=names, params=params, flops=flops, tokens=np.array(tokens), output=np.array(output)
    )


def from_results(measured: Measured, bins_per_decade: float) -> Candidates:
    """Final results, each competing in its own bin of compute."""
    logs = np.log10(measured.flops)
    count = max(int(np.ceil(np.ptp(logs) * bins_per_decade)), 1)
    place = np.minimum(((logs - logs.min()) / max(np.ptp(logs), 1e-12) * count).astype(np.intp), count - 1)
    inside = place[:, None] == np.arange(count)
    return Candidates(
        run_ids=measured.run_ids,
        params=measured.params,
        flops=np.broadcast_to(measured.flops[:, None], inside.shape),
        tokens=np.broadcast_to(measured.tokens[:, None], inside.shape),
        output=np.where(inside, measured.output[:, None], np.inf),
    )


def lower_envelope(candidates: Candidates, present: Mask) -> Envelope:
    """The best of the runs that are present at each place."""
    output = np.where(present[:, None], candidates.output, np.inf)
    run = np.argmin(output, axis=0)
    places = np.arange(output.shape[1])
    least = output[run, places]
    competing = np.isfinite(output)
    size, margin = candidates.params[run], 1 + SAME_SIZE
    smaller = (competing & (candidates.params[:, None] * margin < size)).any(axis=0)
    larger = (competing & (candidates.params[:, None] > size * margin)).any(axis=0)
    cheaper = np.concatenate([[np.inf], np.minimum.accumulate(least)[:-1]])
    useful = np.isfinite(least) & (least < cheaper)
    return Envelope(run=run, kept=useful & smaller & larger, at_edge=useful & ~(smaller & larger))
