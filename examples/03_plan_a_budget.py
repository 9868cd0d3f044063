"""Eight H100 for 30 days at $2.50, 5T tokens to be served, 400B unique tokens: what should be trained?

Use: python examples/03_plan_a_budget.py            (a few seconds; no runs of your own are needed)

With a fit of your own runs put al.Fit.load("fit.json") in the place of a published law: then every number has
a range that also carries what your runs leave open.
"""

from __future__ import annotations

import sys

import allometry as al
from allometry.planning.legal_shapes import legal_run
from allometry.planning.published import PUBLISHED, PublishedFit
from allometry.planning.rates import Rate, training_rate
from allometry.units import show_count, show_power

DAYS, DEVICES, SERVED, UNIQUE = 30, 8, 5e12, 4e11
LAW = "besiroglu_2024"  # of the fits of the Hoffmann runs the one that others could reproduce


def rate() -> Rate:
    """An H100 at the price that was offered; utilisation, power and overhead stay ranges."""
    return training_rate("h100-sxm", usd_per_hour=2.50, price_as_of="2026-05")


def plan(law: str = LAW, *, served: float = SERVED, unique: float | None = UNIQUE) -> al.Plan:
    """The plan by one law."""
    return al.allocate(
        law, days=DAYS, device=rate(), devices=DEVICES, served_tokens=served, unique_tokens=unique
    )


def steps() -> list[tuple[str, al.Plan]]:
    """What each demand changes."""
    return [
        ("training alone", plan(served=0, unique=None)),
        ("with unique data", plan(served=0)),
        ("with serving", plan(unique=None)),
        ("with both", plan()),
    ]


def spread() -> list[tuple[str, al.Plan]]:
    """The same question to every published law that can answer it."""
    names = [
        name for name, one in PUBLISHED.items() if isinstance(one, PublishedFit) and "E" in one.coefficients
    ]
    return [(name, plan(name)) for name in names]


def row(name: str, made: al.Plan) -> str:
    """One plan on one line."""
    size, data = show_count(made.params.value), show_count(made.tokens.value)
    epochs = f"{made.data.epochs.value:5.2f} epochs" if made.data else "all fresh   "
    loss = f"{made.output} {made.loss.value:.3f}"
    return f"  {name:24s} {size:>6s} parameters  {data:>6s} tokens  {epochs}  {loss}"


def verdict() -> str:
    """Which of the two open questions moves the answer further."""
    demands, laws = ([one.params.value for _, one in plans] for plans in (steps(), spread()))
    by_demand, by_law = (max(sizes) / min(sizes) for sizes in (demands, laws))
    return (
        f"The demand moves the best size by a factor of {by_demand:.1f}, the choice of law by {by_law:.1f}."
    )


def main() -> None:
    """Print the plan, its costs, what serving and data change, and what other laws say."""
    made = plan()
    sheet = made.cost
    assert sheet is not None
    parts = [
        made.summary(),
        f"\nThe cost sheet:\n{sheet.summary()}",
        f"\n{legal_run(made, context=4096).summary()}",
        f"\nWhat serving {show_count(SERVED)} tokens and having {show_count(UNIQUE)} unique ones change:",
        *(row(*one) for one in steps()),
        f"\nThe same {show_power(made.flops)} FLOP by every published law (losses of different texts):",
        *(row(*one) for one in spread()),
        f"\n{verdict()}",
    ]
    sys.stdout.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
