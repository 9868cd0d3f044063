"""Does a fitted floor of the loss agree with the truth? A sweep over a source whose entropy rate is exact.

Use: python examples/11_known_entropy.py [FOLDER]        (about a minute on two cores)
"""

from __future__ import annotations

import sys
from pathlib import Path

import allometry as al
from allometry.lab.synthetic import recipe_floor
from allometry.recipe import AdamW, Data, MuP, Symbols, Wsd, ZipfBigram

VOCAB = 128
SOURCE = ZipfBigram(vocab=VOCAB, tokens=4_000_000)  # no token is seen twice: repetition has laws of its own


def design() -> al.Grid:
    """Four widths times four horizons, each trained straight; muP keeps one learning rate best for all."""
    base = al.Recipe(
        architecture=al.Transformer(vocab=VOCAB, context=32, width=16, layers=1, heads=1),
        optimizer=AdamW(learning_rate=0.02),
        schedule=Wsd(warmup_fraction=0.1),
        parametrization=MuP(base_width=16),
        data=Data(corpus=SOURCE, tokenizer=Symbols(vocab=VOCAB), held_out_tokens=131_072),
        tokens=2**17,
        batch_tokens=1024,
    )
    return al.Grid(
        base=base, vary={"architecture.width": [8, 16, 32, 64], "tokens": [2**17, 2**18, 2**19, 2**20]}
    )


def measure(folder: Path) -> al.Fit:
    """Train what the folder does not hold yet, and fit Chinchilla's law with intervals."""
    runs = al.run_sweep(design(), al.Study.create(folder, ""), workers=2)
    return al.bootstrap(al.fit("chinchilla", runs), draws=1000)


def main(folder: str = "known-entropy") -> None:
    """Print the fit beside the truth."""
    fit = measure(Path(folder))
    low, high = fit.interval("E", level=0.9)
    truth = recipe_floor(design().base)
    verdict = "inside" if low <= truth <= high else "outside"
    sys.stdout.write(
        f"{fit.summary()}\n\n"
        f"E as fitted       {fit.coefficients['E']:.4f} nat/token, 90% interval {low:.4f} to {high:.4f}\n"
        f"the entropy rate  {truth:.4f} nat/token: {verdict}\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
