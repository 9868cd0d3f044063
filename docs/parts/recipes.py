"""The page of recipes: every table that a recipe may hold, with the smallest that states it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docs.parts.choices import choice_section, field_table, members, said
from docs.parts.toml import inline, toml_block, toml_table

from allometry.architectures import Transformer
from allometry.recipe import (
    AdamW,
    Bpe,
    CharacterNoise,
    Constant,
    Continue,
    Cosine,
    Data,
    Distill,
    Domain,
    ExactDedup,
    FineTune,
    HuggingFace,
    Linear,
    Mixture,
    Muon,
    MuP,
    NearDedup,
    Optimizer,
    Parametrization,
    Precision,
    QualityFilter,
    RandomDocuments,
    RandomHierarchy,
    Recipe,
    Schedule,
    Sgd,
    Source,
    SparseParity,
    Standard,
    StandardLibrary,
    Start,
    Step,
    Symbols,
    TaskProblems,
    TextFiles,
    Tokenizer,
    TokenizerFile,
    Utf8Bytes,
    WordShuffle,
    Wsd,
    ZipfBigram,
)
from allometry.recipe.tasks import (
    Addition,
    AssociativeRecall,
    Copy,
    ModularAddition,
    Reverse,
    Sort,
    Task,
)

_CODE = StandardLibrary(bytes=4_000_000)
_PROSE = StandardLibrary(bytes=600_000, part="docstrings")
SMALLEST = Recipe(
    architecture=Transformer(vocab=1024, context=128, width=48, layers=2, heads=3),
    optimizer=AdamW(learning_rate=0.008),
    schedule=Wsd(warmup_fraction=0.05),
    data=Data(corpus=_CODE, tokenizer=Bpe(vocab=1024)),
    tokens=524_288,
    batch_tokens=1024,
)
# One of each kind, with little more than what has no default.
EXAMPLES: tuple[Any, ...] = (
    AdamW(learning_rate=0.008),
    Sgd(learning_rate=0.5),
    Muon(learning_rate=0.02, others=AdamW(learning_rate=0.008)),
    Wsd(warmup_fraction=0.05),
    Cosine(warmup_fraction=0.05),
    Linear(warmup_fraction=0.05),
    Constant(warmup_tokens=26_214),
    _CODE,
    TextFiles(paths=("texts/*.txt", "more/*.jsonl.zst")),
    HuggingFace(name="owner/dataset", revision="main", bytes=10_000_000),
    Mixture(
        domains=(
            Domain(name="code", corpus=_CODE, share=9),
            Domain(name="prose", corpus=_PROSE, share=1),
        )
    ),
    Domain(name="code", corpus=_CODE, share=9),
    ZipfBigram(vocab=256, tokens=2_000_000),
    SparseParity(tasks=100, tokens=2_000_000),
    RandomHierarchy(symbols=16, tokens=2_000_000),
    TaskProblems(task=Addition(order="reversed"), tokens=2_000_000),
    Copy(),
    Reverse(),
    Sort(),
    ModularAddition(),
    Addition(order="reversed"),
    AssociativeRecall(),
    Bpe(vocab=1024),
    Utf8Bytes(),
    TokenizerFile(path="tokenizer.json", vocab=32_000, end_of_document="</s>"),
    Symbols(vocab=256),
    ExactDedup(),
    NearDedup(),
    QualityFilter(),
    CharacterNoise(fraction=0.1),
    WordShuffle(fraction=0.1),
    RandomDocuments(fraction=0.1),
    Standard(),
    MuP(base_width=32),
    Precision(compute="auto"),
    FineTune(run="0a880815b2b7"),
    Continue(run="0a880815b2b7"),
    Distill(teacher="423b65c4322e", temperature=2.0),
)
_EXAMPLE = {type(one): one for one in EXAMPLES}

INTRODUCTION = """\
A recipe is a TOML file that says all that determines one training run; [the lab](../lab.md) tells how to use
it. Every table below is one choice; its `kind` says which. A key that is not there is an error that names the
nearest one, and a wrong value an error that names the rule, both before anything is computed. A field with a
default may be left out, and leaving it out is the same run as writing the default: a run's identity is the
hash of what differs from the defaults. "None" in a text is a field that is left out. In Python the choices
are classes of `allometry.recipe`; `Recipe.from_toml` reads what `to_toml` writes.

The smallest recipe, as `allometry train` takes it:"""


def recipes_page() -> str:
    """The recipe, and all choices, table by table."""
    parts = [
        "# Recipes",
        INTRODUCTION,
        f"```toml\n{_smallest()}```",
        "## Recipe",
        said(Recipe).text,
        field_table(Recipe),
        "The tables of `architecture` are on [a page of their own](architectures.md).",
        _union("Optimizer", "optimizer", members(Optimizer)),
        _union("Schedule", "schedule", members(Schedule)),
        "## Data",
        said(Data).text,
        field_table(Data),
        _union("Sources", "data.corpus", members(Source)),
        _union("Domains of a mixture", "data.corpus.domains", [Domain], is_list=True),
        _union("Tasks", "data.corpus.task", members(Task)),
        _union("Tokenizers", "data.tokenizer", members(Tokenizer)),
        _union("Steps", "data.steps", members(Step), is_list=True),
        _union("Parametrization", "parametrization", members(Parametrization)),
        _union("Precision of a run", "precision", [Precision]),
        _union("Start", "start", members(Start)),
        _union("Distillation", "distill", [Distill]),
    ]
    return "\n\n".join(parts) + "\n"


def _smallest() -> str:
    """In the order that people write it: numbers, then tables."""
    numbers = f"tokens = {inline(SMALLEST.tokens)}\nbatch_tokens = {inline(SMALLEST.batch_tokens)}\n"
    tables = ("architecture", "optimizer", "schedule", "data")
    return "\n".join([numbers, *(toml_table(getattr(SMALLEST, name), name) for name in tables)])


def _union(title: str, table: str, kinds: Sequence[type], *, is_list: bool = False) -> str:
    sections = [choice_section(kind, toml_block(_EXAMPLE[kind], table, is_list=is_list)) for kind in kinds]
    return "\n\n".join([f"## {title}", *sections])
