"""Hand a planned run over: as a recipe of the lab, or as flags for another trainer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, cast

from allometry.errors import InputError, did_you_mean
from allometry.files import write_atomically
from allometry.planning.legal_shapes import LegalRun

if TYPE_CHECKING:
    from allometry.architectures import AnyArchitecture
    from allometry.recipe import Recipe

_TEXT = "data/*.jsonl"  # what a recipe without a base stands for until its reader names the own files
_TOKENIZER = "tokenizer.json"


def as_recipe(run: LegalRun, base: Recipe | None = None) -> Recipe:
    """The run as a recipe.

    Args:
        base: Gives data, schedule, optimizer and all other choices; its tokenizer must have the run's
            vocabulary. Without it the recipe names `data/*.jsonl` and `tokenizer.json`, to be replaced.

    Raises:
        RecipeError: If the base does not go with the run.

    >>> from allometry.planning.allocation import allocate
    >>> from allometry.planning.legal_shapes import legal_run
    >>> run = legal_run(allocate("besiroglu_2024", flops=1e19))
    >>> as_recipe(run).steps == run.steps
    True
    """
    from allometry.recipe import at_rate

    begun = base or _blank(run)
    return replace(
        begun,
        architecture=_trainable(run),
        tokens=run.tokens,
        batch_tokens=run.batch_tokens,
        optimizer=at_rate(begun.optimizer, run.learning_rate),
    )


def write_recipe(run: LegalRun, path: Path) -> str:
    """Write the run as a recipe, all of it or nothing; gives back what its reader has to do.

    Raises:
        InputError: If the file is there already, or is no .toml.
    """
    if path.suffix != ".toml" or path.exists():
        why = "is there already" if path.exists() else "is no .toml file"
        raise InputError(f"{path} {why}: name a new file for the recipe, for example run.toml.")
    write_atomically(path, as_recipe(run).to_toml())
    return f"Written to {path}: put your text for {_TEXT} and your tokenizer for {_TOKENIZER} in it."


def as_flags(run: LegalRun, template: str) -> str:
    """The run as flags of another trainer.

    Args:
        template: Text with names in braces, such as "--n-layer {layers} --tokens {tokens}".

    Raises:
        InputError: If the template names something that the run does not have.

    >>> from allometry.planning.allocation import allocate
    >>> from allometry.planning.legal_shapes import legal_run
    >>> run = legal_run(allocate("besiroglu_2024", flops=1e21))
    >>> as_flags(run, "--n-layer {layers} --n-embd {width}")
    '--n-layer 23 --n-embd 2944'
    """
    known = flag_values(run)
    for name in _names(template):
        if name not in known:
            raise InputError(
                f"A run has no '{name}' to put into the template.{did_you_mean(name, known)} "
                f"It has: {', '.join(known)}."
            )
    return template.format_map(known)


def flag_values(run: LegalRun) -> dict[str, str]:
    """What a template may name, as text."""
    sizes = {name: f"{value:.0f}" for name, value in run.architecture.dimensions().items()}
    return {
        **sizes,
        "params": str(run.params),
        "tokens": str(run.tokens),
        "batch_tokens": str(run.batch_tokens),
        "batch_sequences": str(run.batch_tokens // run.architecture.context),
        "steps": str(run.steps),
        "learning_rate": f"{run.learning_rate:.6g}",
        "flops": f"{run.flops:.6g}",
    }


def _names(template: str) -> list[str]:
    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise InputError(
            f"The template '{template}' cannot be read: {error}. Double a brace to keep it."
        ) from error


def _trainable(run: LegalRun) -> AnyArchitecture:
    return cast("AnyArchitecture", run.architecture)  # the catalog it was made from holds no other


def _blank(run: LegalRun) -> Recipe:
    from allometry.recipe import AdamW, Data, Recipe, TextFiles, TokenizerFile, Wsd

    vocab = run.architecture.vocab
    tokenizer = TokenizerFile(path=_TOKENIZER, vocab=vocab, end_of_document="<|endoftext|>")
    return Recipe(
        architecture=_trainable(run),
        optimizer=AdamW(learning_rate=run.learning_rate),
        schedule=Wsd(warmup_fraction=0.01),
        data=Data(corpus=TextFiles(paths=(_TEXT,)), tokenizer=tokenizer),
        tokens=run.tokens,
        batch_tokens=run.batch_tokens,
    )
