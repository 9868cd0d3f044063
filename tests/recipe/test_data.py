"""What a recipe says about its data cannot be wrong, survives TOML, and renames no older recipe."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
import tomli_w

from allometry.architectures import Transformer
from allometry.errors import RecipeError
from allometry.recipe import (
    AdamW,
    Bpe,
    CharacterNoise,
    Data,
    Domain,
    ExactDedup,
    HuggingFace,
    Mixture,
    NearDedup,
    QualityFilter,
    RandomDocuments,
    RandomHierarchy,
    Recipe,
    SparseParity,
    StandardLibrary,
    Symbols,
    TextFiles,
    TokenizerFile,
    Utf8Bytes,
    WordShuffle,
    Wsd,
    ZipfBigram,
    read_choice,
    spelled_out,
)

LIBRARY = StandardLibrary(bytes=1000)
MIXTURE = Mixture(
    by="repeat",
    domains=(
        Domain(name="code", corpus=LIBRARY, share=2.5),
        Domain(name="prose", corpus=TextFiles(paths=("*.txt",)), share=1, unique_tokens=64),
    ),
)
STEPS = (
    ExactDedup(),
    NearDedup(threshold=0.7, domains=("code",)),
    QualityFilter(min_words=3),
    CharacterNoise(fraction=0.1),
    WordShuffle(fraction=0.2, seed=4),
    RandomDocuments(fraction=1, domains=("code", "prose")),
)
DATA = [
    Data(corpus=LIBRARY, tokenizer=Utf8Bytes()),
    Data(
        corpus=TextFiles(paths=("a.jsonl.zst",), text_key="content"),
        tokenizer=Bpe(vocab=300),
        unique_tokens=9,
    ),
    Data(
        corpus=HuggingFace(name="o/d", revision="abc", config="en", documents=5),
        tokenizer=TokenizerFile(path="tokenizer.json", vocab=99_000, end_of_document="</s>"),
    ),
    Data(corpus=MIXTURE, tokenizer=Utf8Bytes(), steps=STEPS),
    Data(corpus=ZipfBigram(vocab=32, tokens=1000), tokenizer=Symbols(vocab=32)),
    Data(corpus=SparseParity(tasks=30, tokens=1000), tokenizer=Symbols(vocab=32)),
    Data(corpus=RandomHierarchy(symbols=32, tokens=1000), tokenizer=Symbols(vocab=32)),
]


def read(values: dict[str, Any]) -> Data:
    return read_choice(Data, values, "r.toml")


@pytest.mark.parametrize("data", DATA, ids=lambda data: f"{data.corpus.kind}-{data.tokenizer.kind}")
def test_data_survive_toml(data: Data) -> None:
    recipe = Recipe(
        architecture=Transformer(vocab=data.tokenizer.vocab, context=16, width=16, layers=1, heads=1),
        optimizer=AdamW(learning_rate=0.01),
        schedule=Wsd(),
        data=data,
        tokens=640,
        batch_tokens=64,
    )

    again = Recipe.from_toml(recipe.to_toml())

    assert again.data == data
    assert again.run_id == recipe.run_id


def test_data_that_leave_out_what_is_new_are_identified_as_before() -> None:
    data = Data(corpus=TextFiles(paths=("a.txt",)), tokenizer=Bpe(vocab=300), held_out=0.1)

    assert spelled_out(data, defaults=False) == {
        "corpus": {"paths": ["a.txt"], "kind": "files"},
        "tokenizer": {"vocab": 300, "kind": "bpe"},
        "held_out": 0.1,
    }


TEXT = {"corpus": {"kind": "files", "paths": ["a.txt"]}, "tokenizer": {"kind": "bpe", "vocab": 300}}
BIGRAM = {"kind": "zipf_bigram", "vocab": 32, "tokens": 1000}
DRAWN = {"corpus": BIGRAM, "tokenizer": {"kind": "symbols", "vocab": 32}}
HUB = {"kind": "hugging_face", "name": "o/d"}
FILE = {"kind": "tokenizer_file", "path": "t"}
CODE = {"name": "code", "corpus": TEXT["corpus"], "share": 1}
PROSE = CODE | {"name": "prose"}


def mixed(*domains: dict[str, Any], **more: Any) -> dict[str, Any]:
    return TEXT | {"corpus": {"kind": "mixture", "domains": domains, **more}}


def stepped(*steps: dict[str, Any]) -> dict[str, Any]:
    return TEXT | {"steps": steps}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (mixed(CODE, CODE), "more than one domain 'code'; give each a name of its own"),
        (mixed(CODE), "A mixture of 1 domains mixes nothing: give two, or the corpus alone"),
        (mixed(CODE, PROSE | {"share": 0}), "'share' is 0: input should be greater than 0"),
        (mixed(CODE, PROSE | {"share": float("inf")}), "'share' is inf"),
        (mixed(CODE, PROSE | {"name": "Prose!"}), "'name' is 'Prose!'"),
        (mixed(CODE, PROSE | {"corpus": BIGRAM}), "'zipf_bigram'"),
        (mixed(CODE, PROSE, by="size"), "'by' is 'size': input should be 'weight', 'repeat' or 'tokens'"),
        (mixed(CODE, PROSE) | {"unique_tokens": 9}, "give unique_tokens to its domains"),
        (TEXT | {"unique_tokens": 0}, "'unique_tokens' is 0"),
        (TEXT | {"corpus": BIGRAM}, "needs the tokenizer 'symbols', not 'bpe'"),
        (TEXT | {"tokenizer": {"kind": "symbols", "vocab": 32}}, "use utf8_bytes, bpe or tokenizer_file"),
        (
            {"corpus": BIGRAM, "tokenizer": {"kind": "symbols", "vocab": 31}},
            "has 32 symbols and its tokenizer 31; set vocab to 32",
        ),
        (DRAWN | {"steps": [{"kind": "exact_dedup"}]}, "leave out exact_dedup"),
        (stepped({"kind": "exact_dedup", "domains": ["code"]}), "It has: no domains."),
        (
            mixed(CODE, PROSE) | {"steps": [{"kind": "exact_dedup", "domains": ["cod"]}]},
            "names a domain 'cod' that the corpus does not have. Did you mean 'code'? It has: code, prose.",
        ),
        (
            stepped({"kind": "word_shuffle", "fraction": 0.1}, {"kind": "near_dedup"}),
            "near_dedup comes after word_shuffle, and does not know a copy once there is noise in it",
        ),
        (stepped({"kind": "character_noise", "fraction": 0}), "'fraction' is 0"),
        (stepped({"kind": "near_dedup", "threshold": 0.1}), "'threshold' is 0.1"),
        (stepped({"kind": "near_dedup", "permutations": 100}), "'permutations' is 100"),
        (stepped({"kind": "quality_filter", "min_words": 9, "max_words": 2}), "A quality filter keeps"),
        (stepped({"kind": "dedup"}), "'dedup'"),
        (TEXT | {"corpus": HUB}, "lacks 'revision', which has no default"),
        (
            TEXT | {"corpus": HUB | {"revision": "main"}},
            "How much of dataset 'o/d' is read must be stated",
        ),
        (
            TEXT | {"tokenizer": FILE | {"vocab": 2**32 + 1, "end_of_document": "e"}},
            "'vocab' is 4294967297: input should be less than or equal to 4294967296",
        ),
        (TEXT | {"tokenizer": FILE | {"vocab": 9}}, "lacks 'end_of_document'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(values: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(tomllib.loads(tomli_w.dumps(values)))

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("r.toml")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "zipf_bigram", "vocab": 5000, "tokens": 9}, "'vocab' is 5000"),
        ({"kind": "zipf_bigram", "vocab": 50, "tokens": 9, "coupling": 1.0}, "'coupling' is 1.0"),
        ({"kind": "sparse_parity", "tasks": 5, "tokens": 9, "bits": 2}, "A subset of 3 bits cannot be drawn"),
        (
            {"kind": "random_hierarchy", "symbols": 4, "tokens": 9, "rules": 5},
            "with 5 rules each need 20 productions, and 2 symbols make only 16; ask for fewer",
        ),
        (
            {"kind": "random_hierarchy", "symbols": 4, "tokens": 9, "levels": 12, "branching": 16},
            "ask for fewer levels, less branching or fewer rules",
        ),
    ],
)  # fmt: skip
def test_an_impossible_synthetic_source_is_one_sentence(values: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read({"corpus": values, "tokenizer": {"kind": "symbols", "vocab": 4}})

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_dedup_may_come_after_a_filter() -> None:
    data = replace(DATA[0], steps=(QualityFilter(), ExactDedup(), CharacterNoise(fraction=0.1)))

    assert [step.kind for step in data.steps] == ["quality_filter", "exact_dedup", "character_noise"]
