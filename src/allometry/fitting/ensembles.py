"""Points drawn from a density by ensembles of walkers, and whether they have settled.

The sampler is emcee's (Foreman-Mackey et al. 2013, doi:10.1086/670067). Walkers of one ensemble help each
other to find their steps, so they are no independent chains: two ensembles are run that know nothing of each
other, and it is they that must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allometry.extras import needed

Array = NDArray[np.float64]
LogDensity = Callable[[Array], Array]

ENSEMBLES = 2
FIRST_STEPS = 300  # doubled until the ensembles agree
AGREE = 1.01  # split R-hat: Vehtari et al. 2021, doi:10.1214/20-BA1221
ENOUGH = 1000.0  # effective draws: the 5% quantile is then known to 0.7 points


@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """What ensembles of walkers have seen after the first half of their way, which is thrown away.

    Attributes:
        points: Of shape (ensembles, steps, walkers, k).
        log_density: Of shape (ensembles, steps, walkers).
        steps: All steps of each walker, those thrown away included.
        rhat: The worst split R-hat over the k numbers.
        effective: The least number of effectively independent draws over the k numbers.
    """

    points: Array
    log_density: Array
    steps: int
    rhat: float
    effective: float

    @property
    def settled(self) -> bool:
        """Whether the ensembles agree and have been going for long enough."""
        return self.rhat <= AGREE and self.effective >= ENOUGH

    @property
    def flat(self) -> Array:
        """All points, of shape (ensembles · steps · walkers, k)."""
        return self.points.reshape(-1, self.points.shape[-1])

    @property
    def best(self) -> Array:
        """The most probable point that was seen, of shape (k,)."""
        return np.asarray(self.flat[int(np.argmax(self.log_density))])


def walk(log_density: LogDensity, starts_ewk: Array, most_steps: int, seed: int) -> Chains:
    """Let each ensemble walk until all have settled, or for the most steps that are allowed.

    Args:
        starts_ewk: A first point of each walker, of finite density; of shape (ensembles, walkers, k).

    Raises:
        MissingExtra: If emcee is not installed.
    """
    emcee = needed("emcee", "A posterior", "bayes")
    samplers = [_sampler(emcee, log_density, *starts.shape) for starts in starts_ewk]
    states: list[Any] = [
        emcee.State(starts, random_state=np.random.RandomState([seed, place]).get_state())
        for place, starts in enumerate(starts_ewk)
    ]
    for steps in _rounds(most_steps):
        for place, sampler in enumerate(samplers):
            states[place] = sampler.run_mcmc(
                states[place], steps - sampler.iteration, skip_initial_state_check=True
            )
        chains = _seen(samplers, steps)
        if chains.settled:
            break
    return chains


def split_rhat(points_eswk: Array) -> Array:
    """How far halves of ensembles disagree beyond what is within them, of shape (k,); 1 is agreement.

    The square root of 1 + B / W, with B the variance between the means of the halves of all ensembles and W
    that of the points within a half: walkers of one ensemble count as one chain.

    Source:
        Margossian et al. 2024, "Nested R-hat", doi:10.1214/24-BA1453; split as by Gelman et al. 2013.

    >>> same = np.random.default_rng(0).standard_normal((2, 100, 20, 1))
    >>> bool(split_rhat(same)[0] < 1.01), bool(split_rhat(same + np.arange(2)[:, None, None, None])[0] > 1.1)
    (True, True)
    """
    e, s, w, k = points_eswk.shape
    halves = points_eswk[:, : s // 2 * 2].reshape(e * 2, s // 2 * w, k)
    between, within = halves.mean(axis=1).var(axis=0, ddof=1), halves.var(axis=1, ddof=1).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(1 + np.where(within > 0, between / within, np.inf)))


def effective_draws(points_eswk: Array) -> Array:
    """Draws that independent sampling would need for means as sure as these, of shape (k,).

    All draws over the integrated autocorrelation time, which is summed up to five times itself.

    Source:
        Sokal 1996, "Monte Carlo methods in statistical mechanics", section 3; Goodman and Weare 2010.

    >>> free = np.random.default_rng(0).standard_normal((2, 500, 20, 1))
    >>> bool(0.9 < effective_draws(free)[0] / 20_000 < 1.1)
    True
    """
    s, w = points_eswk.shape[1:3]
    times = np.stack([_autocorrelation_time(one) for one in points_eswk])
    return np.asarray((s * w / np.maximum(times, 1e-300)).sum(axis=0))


def _sampler(emcee: Any, log_density: LogDensity, walkers: int, k: int) -> Any:
    # Along the difference of two other walkers, sometimes by the whole of it (ter Braak 2006, section 2): two
    # to three times the effective draws a second of the stretch move (docs/decisions/0008).
    moves = [(emcee.moves.DEMove(), 0.7), (emcee.moves.DEMove(gamma0=1.0), 0.3)]
    return emcee.EnsembleSampler(walkers, k, log_density, moves=moves, vectorize=True)


def _rounds(most: int) -> Iterator[int]:
    steps = min(FIRST_STEPS, most)
    while steps < most:
        yield steps
        steps = min(2 * steps, most)
    yield most


def _seen(samplers: list[Any], steps: int) -> Chains:
    points = np.stack([sampler.get_chain(discard=steps // 2) for sampler in samplers])
    return Chains(
        points=points,
        log_density=np.stack([sampler.get_log_prob(discard=steps // 2) for sampler in samplers]),
        steps=steps,
        rhat=float(split_rhat(points).max()),
        effective=float(effective_draws(points).min()),
    )


def _autocorrelation_time(points_swk: Array) -> Array:
    """In steps, averaged over walkers before it is summed; infinite where nothing moves."""
    s = len(points_swk)
    away = points_swk - points_swk.mean(axis=(0, 1))
    power = np.abs(np.fft.rfft(away, n=2 * s, axis=0)) ** 2
    together = np.fft.irfft(power, axis=0)[:s].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = together / together[0]
    times = 2 * np.cumsum(rho, axis=0) - 1
    settled = np.arange(s)[:, None] >= 5 * times
    last = np.where(settled.any(axis=0), settled.argmax(axis=0), s - 1)
    found = np.take_along_axis(times, last[None, :], axis=0)[0]
    return np.where(np.isfinite(found), np.maximum(found, 1.0), np.inf)
