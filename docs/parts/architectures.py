"""The page of architectures: the dial, how parameters and FLOP are counted, every kind with its fields."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from docs.parts.choices import choice_section, field_table, paragraphs, said
from docs.parts.toml import toml_block

from allometry.architectures import ARCHITECTURES, Architecture, dials
from allometry.architectures.attention import ATTENTIONS
from allometry.architectures.decoder import Decoder
from allometry.architectures.definition import FlopsConvention, Group, ParamsConvention
from allometry.architectures.dials import shape

_ROOM = {"vocab": 1024, "context": 128}
INTRODUCTION = """\
What an architecture costs is counted exactly and without PyTorch; tests hold every count to the parameters of
the torch module, and FLOP to PyTorch's own counter. `allometry count RECIPE` prints the counts of a recipe. A
table that names no `kind` is a transformer. "None" in a text is a field that is left out."""
PARAMS = {
    "matmul": "blocks and head: what a token meets in matrix products; of experts, those it goes to",
    "total": "all trainable parameters; a tied matrix once",
    "non_embedding": "the total less embedding, learned positions and head; all experts",
    "active": "the total less the experts that a token does not go to",
}
FLOPS = {
    "6ND": "6 times the `total`: the approximation of the literature",
    "matmul": "6 times the `matmul` parameters; what `flops` of the lab's runs states",
    "with_attention": "and the products of queries, keys and values, a window's of those in the window; of a "
    "state-space model, those of its scan",
}
CONVENTIONS = (
    "Published exponents depend on what was counted, so every number names its convention, and runs keep all "
    "counts. Within a group of parameters, `matmul` counts"
)


def architectures_page() -> str:
    """The dial, the conventions, what decoders share, and all kinds."""
    decoder = said(Decoder)
    parts = [
        "# Architectures",
        INTRODUCTION,
        "## One dial",
        paragraphs(dials.__doc__ or ""),
        "## Conventions of counting",
        f"{CONVENTIONS} {_begun_small(said(Group).fields['matmul'])}",
        _conventions(
            "`params` convention", "counts", {name: PARAMS[name] for name in get_args(ParamsConvention)}
        ),
        _conventions(
            "`flops` convention",
            "training FLOP per token: forward 2, backward 4 a multiply-add",
            {name: FLOPS[name] for name in get_args(FlopsConvention)},
        ),
        _counts(),
        "## What transformers and mixtures of experts choose from",
        decoder.text,
        field_table(Decoder),
        f"Source: {decoder.source}",
        "## Kinds",
        *(_kind_section(kind) for kind in ARCHITECTURES),
        "## Kinds of attention",
        *(choice_section(kind, _example(kind)) for kind in ATTENTIONS),
    ]
    return "\n\n".join(parts) + "\n"


def _conventions(name: str, says: str, conventions: dict[str, str]) -> str:
    rows = [f"| `{convention}` | {meaning} |" for convention, meaning in conventions.items()]
    return "\n".join([f"| {name} | {says} |", "|---|---|", *rows])


def _begun_small(text: str) -> str:
    return text[0].lower() + text[1:]


def _kind_section(kind: str) -> str:
    """Its own fields only, where they stand on those of a decoder."""
    cls = ARCHITECTURES[kind]
    shared = [one.name for one in fields(Decoder)] if issubclass(cls, Decoder) else []
    example = toml_block(_of_depth(kind, 2), "architecture")
    return choice_section(cls, f"{example}\n\n{_example(cls)}", without=["kind", *shared])


def _example(cls: type) -> str:
    return f"```python\n{said(cls).example}\n```"


def _of_depth(kind: str, depth: int) -> Architecture:
    return shape(kind, depth=depth, **_ROOM)


def _counts() -> str:
    """The counts of a small model of every kind, by every convention."""
    params, flops = get_args(ParamsConvention), get_args(FlopsConvention)
    head = [
        *params,
        *(f"{name}, FLOP/token" for name in flops),
        "cache, bytes/token",
        "state, bytes/sequence",
    ]
    rows = [f"| `{kind}` | {' | '.join(_row(_of_depth(kind, 4)))} |" for kind in ARCHITECTURES]
    table = [f"| depth 4 | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|", *rows]
    told = (
        f"What `depth = 4` gives with a vocabulary of {_ROOM['vocab']} and a context of {_ROOM['context']}. "
        f"The cache grows with the context and the state does not; both are at two bytes a value."
    )
    return "\n".join([told, "", *table])


def _row(model: Architecture) -> list[str]:
    params = [model.params(name) for name in get_args(ParamsConvention)]
    flops = [model.flops_per_token(name) for name in get_args(FlopsConvention)]
    return [f"{count:,.0f}" for count in (*params, *flops, model.cache_bytes(), model.state_bytes())]
