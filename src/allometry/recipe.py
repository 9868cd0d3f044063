"""`Recipe`: all that determines one training run. TOML in and out; its content hash is its identity."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from allometry.architectures import Transformer
from allometry.errors import RecipeError, did_you_mean

Choice = TypeVar("Choice")
_KNOWN_KEYS: set[str] = {field.name for field in fields(Transformer)}
_KINDS: set[str] = set()  # tags of unions, which stand in an error's path and mean nothing to a reader


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
def choice(cls: type[Choice]) -> type[Choice]:
    """Make a frozen dataclass that cannot be wrong: values are checked, unknown keys refused.

    Raises:
        RecipeError: From the constructor, in one sentence a line.
    """
    made: Any = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)
    checked = made.__init__

    def __init__(self: Any, **values: Any) -> None:
        try:
            checked(self, **values)
        except ValidationError as error:
            raise RecipeError(_sentences(error, cls.__name__)) from error

    made.__init__ = __init__
    _KNOWN_KEYS.update(field.name for field in fields(made))
    _KINDS.update(str(field.default) for field in fields(made) if field.name == "kind")
    return made  # type: ignore[no-any-return]


def read_choice(cls: type[Choice], values: Mapping[str, Any], name: str) -> Choice:
    """Read a choice from parsed TOML.

    Args:
        name: What the text is called in a message: a path, or "the recipe".

    Raises:
        RecipeError: Naming each key, the rule it breaks and the nearest known key.
    """
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        raise RecipeError(_sentences(error, name)) from error


def _sentences(error: ValidationError, name: str) -> str:
    return "\n".join(_sentence(problem, name) for problem in error.errors())


def _sentence(problem: Mapping[str, Any], name: str) -> str:
    *tables, key = [str(part) for part in problem["loc"] if part not in _KINDS] or [""]
    where = f"{name}: [{'.'.join(tables)}]" if tables else name
    match problem["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{where} has no key '{key}'.{did_you_mean(key, _KNOWN_KEYS - {key})}"
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{where} lacks '{key}', which has no default."
        case "value_error":
            return f"{where}: {problem['ctx']['error']}"
        case _:
            return f"{where}: '{key}' is {problem['input']!r}: {problem['msg'].lower()}."


@choice
class AdamW:
    """AdamW, decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Attributes:
        learning_rate: Peak, per step.
        weight_decay: Multiplies the learning rate; matrices only, not embeddings or gains.
        betas: Decay of the first and second moment per step.
        clip: Largest norm of the gradient.
    """

    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.98)
    clip: float = Field(default=1.0, gt=0)
    kind: Literal["adamw"] = "adamw"


@choice
class Constant:
    """Warmup, then the peak rate to the end: the trunk that decay branches leave from.

    Attributes:
        warmup_tokens: Length of the linear warmup, stated in tokens so that all branches share it.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    kind: Literal["constant"] = "constant"


@choice
class Wsd:
    """Warmup, stable, decay: the peak rate, then a decay to zero over the last part of the run.

    Attributes:
        warmup_tokens: Length of the linear warmup.
        decay_fraction: Share of all tokens spent decaying, along 1 - sqrt(progress).

    Source:
        Hu et al. 2024, arXiv:2404.06395; decay shape: Hägele et al. 2024, arXiv:2405.18392.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    decay_fraction: float = Field(default=0.25, gt=0, le=1)
    kind: Literal["wsd"] = "wsd"


@choice
class Cosine:
    """Warmup, then half a cosine to a share of the peak rate (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Attributes:
        warmup_tokens: Length of the linear warmup.
        final_fraction: Rate at the end, as a share of the peak.
    """

    warmup_tokens: int = Field(default=0, ge=0)
    final_fraction: float = Field(default=0.1, ge=0, le=1)
    kind: Literal["cosine"] = "cosine"


@choice
class StandardLibrary:
    """The running Python's own standard library: real text that is always there.

    Attributes:
        bytes: Size of the sample; whole files are taken until it is reached.
    """

    bytes: int = Field(gt=0)
    kind: Literal["standard_library"] = "standard_library"


@choice
class TextFiles:
    """Local text files, one document each.

    Attributes:
        paths: Glob patterns; relative ones start at the working directory.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    kind: Literal["files"] = "files"


@choice
class Bpe:
    """Byte-level BPE trained on the training text.

    Attributes:
        vocab: Tokens, the end-of-document token included.
    """

    vocab: int = Field(ge=257, le=65536)
    kind: Literal["bpe"] = "bpe"


@choice
class Data:
    """Which text, split how, in which tokens.

    Attributes:
        held_out: Share of documents kept for evaluation, chosen by a hash of their names.
        held_out_tokens: At most so many held-out tokens are scored.
    """

    corpus: Annotated[StandardLibrary | TextFiles, Field(discriminator="kind")]
    tokenizer: Bpe
    held_out: float = Field(default=0.05, gt=0, lt=1)
    held_out_tokens: int = Field(default=65_536, gt=0)


@choice
class Recipe:
    """All that determines one training run: the same recipe on the same machine gives the same bits.

    Attributes:
        tokens: Budget; a multiple of batch_tokens.
        batch_tokens: Tokens per optimizer step; a multiple of the context.
        seed: Of initialisation and data order.
        parent: run_id of the trunk this run branches off; empty from scratch. A branch equals the
            run that was trained straight, bit for bit; it only skips the part it shares.

    >>> recipe = Recipe(
    ...     architecture=Transformer(vocab=1024, context=128, width=32, layers=2, heads=2),
    ...     optimizer=AdamW(learning_rate=0.01), schedule=Wsd(),
    ...     data=Data(corpus=StandardLibrary(bytes=4_000_000), tokenizer=Bpe(vocab=1024)),
    ...     tokens=262_144, batch_tokens=1024)
    >>> recipe.steps, f"{recipe.flops():.3g}"
    (256, '9.02e+10')
    >>> Recipe.from_toml(recipe.to_toml()) == recipe
    True
    """

    architecture: Transformer
    optimizer: AdamW
    schedule: Annotated[Wsd | Cosine | Constant, Field(discriminator="kind")]
    data: Data
    tokens: int = Field(gt=0)
    batch_tokens: int = Field(gt=0)
    seed: int = Field(default=0, ge=0)
    parent: str = ""

    def __post_init__(self) -> None:
        _require_multiple("tokens", self.tokens, "batch_tokens", self.batch_tokens)
        _require_multiple("batch_tokens", self.batch_tokens, "context", self.architecture.context)
        if self.data.tokenizer.vocab != self.architecture.vocab:
            raise RecipeError(
                f"The tokenizer has {self.data.tokenizer.vocab} tokens and the architecture "
                f"{self.architecture.vocab}; set both vocab to the same number."
            )
        if self.parent and not isinstance(self.schedule, Wsd):
            raise RecipeError(
                f"Only a wsd schedule branches off a trunk: leave out parent = '{self.parent}'."
            )

    @property
    def run_id(self) -> str:
        """The content hash: 12 hexadecimal digits."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return self.tokens // self.batch_tokens

    @property
    def trunk_steps(self) -> int:
        """Steps before the decay begins: where a branch leaves its trunk."""
        if not isinstance(self.schedule, Wsd):
            return self.steps
        return self.steps - max(1, round(self.schedule.decay_fraction * self.steps))

    def flops(self) -> float:
        """Training compute in FLOP under the `matmul` convention."""
        return self.architecture.flops_per_token("matmul") * self.tokens

    def trunk(self) -> Recipe:
        """The constant-rate run that this decayed run can branch off.

        Raises:
            RecipeError: If the schedule is not WSD, or decays from the first step on.
        """
        if not isinstance(self.schedule, Wsd):
            raise RecipeError(f"Only a wsd schedule has a trunk, not {self.schedule.kind}.")
        if self.trunk_steps == 0:
            raise RecipeError(
                f"A run of {self.steps} steps with decay_fraction {self.schedule.decay_fraction} decays from "
                f"the start and has no trunk; give it more tokens or a smaller decay_fraction."
            )
        constant = Constant(warmup_tokens=self.schedule.warmup_tokens)
        return replace(self, schedule=constant, tokens=self.trunk_steps * self.batch_tokens, parent="")

    def to_toml(self) -> str:
        """The recipe as TOML, every choice spelled out."""
        return tomli_w.dumps(asdict(self))

    @classmethod
    def from_toml(cls, text: str, name: str = "the recipe") -> Recipe:
        """Read a recipe.

        Raises:
            RecipeError: Naming the key, the rule and the nearest known key.
        """
        try:
            return read_choice(cls, tomllib.loads(text), name)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{name} is not valid TOML: {error}.") from error


def _require_multiple(name: str, value: int, of: str, unit: int) -> None:
    if value % unit:
        nearest = max(1, round(value / unit)) * unit
        raise RecipeError(
            f"{name} must be a multiple of {of} ({unit}), not {value}; the nearest is {nearest}."
        )
