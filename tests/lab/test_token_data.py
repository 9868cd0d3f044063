"""Text cut to fewer unique tokens, mixtures and symbols, from the recipe to the batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from allometry.errors import InputError
from allometry.lab.encoders import ByteEncoder
from allometry.lab.synthetic import draw_tokens, entropy_rate
from allometry.lab.tokens import TokenData, prepare_tokens
from allometry.recipe import (
    Bpe,
    CharacterNoise,
    Data,
    Domain,
    ExactDedup,
    Mixture,
    SparseParity,
    Symbols,
    TextFiles,
    TokenizerFile,
    Utf8Bytes,
    ZipfBigram,
)

END = ByteEncoder().end


def of_bytes(folder: Path, unique_tokens: int | None = None) -> Data:
    corpus = TextFiles(paths=(f"{folder}/*.txt",))
    return Data(corpus=corpus, tokenizer=Utf8Bytes(), held_out=0.3, unique_tokens=unique_tokens)


def documents(data: TokenData) -> list[bytes]:
    """The training documents, the last one perhaps cut."""
    return [bytes(one.astype(np.uint8)) for one in np.split(data.train, np.flatnonzero(data.train == END))]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains that can be told apart by their letters: 30 documents of 400 'a', 60 of 100 'b'."""
    folder = tmp_path_factory.mktemp("both")
    rows = [("a", 400, 30), ("b", 100, 60)]
    for letter, size, count in rows:
        lines = (json.dumps({"text": letter * (size - len(str(n))) + str(n)}) for n in range(count))
        (folder / f"{letter}.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(both: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that names of documents, and with them the split, are the same wherever the tests run."""
    monkeypatch.chdir(both)


def mixed(by: str, shares: tuple[float, float], limit: int | None = None) -> Data:
    domains = tuple(
        Domain(
            name=name,
            corpus=TextFiles(paths=(f"{name}.jsonl",)),
            share=share,
            unique_tokens=limit if name == "a" else None,
        )
        for name, share in zip("ab", shares, strict=True)
    )
    return Data(corpus=Mixture(by=by, domains=domains), tokenizer=Utf8Bytes(), held_out=0.3)  # type: ignore[arg-type]


def share_of_a(data: TokenData) -> float:
    batches = data.batches(context=16, batch_tokens=16 * 50, seed=0)
    return float(np.mean([batches.batch(step)[:, 0] == ord("a") for step in range(20)]))


@pytest.mark.parametrize("limit", [64, 4096, 20_000])
def test_the_training_text_holds_the_stated_tokens_and_epochs_follow(text: Path, limit: int) -> None:
    batches = prepare_tokens(of_bytes(text, limit)).batches(context=16, batch_tokens=64, seed=0)
    epoch = [start for step in range(limit // 64) for start in batches.windows(step)]

    assert batches.unique_tokens == limit
    assert len(set(epoch)) * 16 == 64 * (limit // 64)


def test_a_larger_limit_contains_the_text_of_a_smaller_one(text: Path) -> None:
    small, large = (prepare_tokens(of_bytes(text, limit)) for limit in (6000, 30_000))

    np.testing.assert_array_equal(small.train, large.train[:6001])


def test_a_limit_takes_whole_documents_from_all_over_the_text(text: Path) -> None:
    everything = documents(prepare_tokens(of_bytes(text)))[:-1]
    some = documents(prepare_tokens(of_bytes(text, 30_000)))[:-1]

    places = [[one.strip(b"\x00") for one in everything].index(document.strip(b"\x00")) for document in some]
    assert len(set(places)) == len(some) > 10
    assert max(places) - min(places) > len(everything) / 2


def test_a_limit_leaves_held_out_text_and_tokenizer_as_they_are(text: Path) -> None:
    corpus = TextFiles(paths=(f"{text}/*.txt",))
    whole = Data(corpus=corpus, tokenizer=Bpe(vocab=300), held_out=0.3)
    all_of_it, cut = prepare_tokens(whole), prepare_tokens(replace(whole, unique_tokens=5000))

    np.testing.assert_array_equal(cut.held_out, all_of_it.held_out)
    np.testing.assert_array_equal(cut.held_out_bytes, all_of_it.held_out_bytes)
    assert cut.data_hash != all_of_it.data_hash
    assert cut.record["unique_tokens"] == {"": 5000}


def test_a_limit_beyond_the_text_is_a_sentence(text: Path) -> None:
    available = len(prepare_tokens(of_bytes(text)).train)

    assert len(prepare_tokens(of_bytes(text, available - 1)).train) == available
    with pytest.raises(InputError, match=f"has {available} tokens, too few for unique_tokens = {available}"):
        prepare_tokens(of_bytes(text, available))


def test_weights_are_shares_whatever_the_text() -> None:
    assert share_of_a(prepare_tokens(mixed("weight", (3, 1)))) == pytest.approx(0.75, abs=0.01)
    assert share_of_a(prepare_tokens(mixed("tokens", (3e6, 1e6)))) == pytest.approx(0.75, abs=0.01)


def test_repeats_count_passes_over_each_domains_text() -> None:
    data = prepare_tokens(mixed("repeat", (1, 4)))
    lengths = {part.name: part.stop - part.start for part in data.train_parts}

    expected = lengths["a"] / (lengths["a"] + 4 * lengths["b"])
    assert share_of_a(data) == pytest.approx(expected, abs=0.02)


def test_a_domain_can_be_cut_alone_and_repeats_count_what_is_left() -> None:
    data = prepare_tokens(mixed("repeat", (1, 1), limit=800))
    lengths = {part.name: part.stop - part.start for part in data.train_parts}

    assert lengths["a"] == 801
    assert data.train_parts[0].share == pytest.approx(801 / (801 + lengths["b"]))


def test_domains_are_scored_by_their_own_text_in_the_shares_of_training() -> None:
    scored = prepare_tokens(mixed("weight", (3, 1))).scored(context=16, tokens=640)

    assert [one.domain for one in scored] == ["a", "b"]
    assert [one.share for one in scored] == [0.75, 0.25]
    assert [len(one.windows) for one in scored] == [30, 10]
    for one in scored:
        letters = {chr(token) for token in one.windows.ravel() if chr(token).isalpha() and token < END}
        assert letters == {one.domain}
        assert one.text_bytes == (one.windows[:, 1:] != END).sum()


def test_weights_change_no_text_and_are_encoded_once() -> None:
    first, second = (prepare_tokens(mixed("weight", shares)) for shares in ((1, 1), (1, 5)))

    assert first.data_hash == second.data_hash
    np.testing.assert_array_equal(first.train, second.train)


def test_a_domain_with_too_little_held_out_text_is_named() -> None:
    data = prepare_tokens(mixed("weight", (1, 1)))

    with pytest.raises(InputError, match=r"held-out text of domain 'b' has \d+ tokens, less than one window"):
        data.scored(context=2500, tokens=10_000)


def test_a_domain_that_cannot_be_split_is_named(
    tmp_path: Path, both: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.jsonl").write_text('{"text": "alone"}')
    (tmp_path / "a.jsonl").write_text((both / "a.jsonl").read_text())

    with pytest.raises(InputError, match="1 documents of domain 'b' cannot be split"):
        prepare_tokens(mixed("weight", (1, 1)))


def test_steps_are_part_of_the_identity_of_the_text_and_of_its_record(text: Path) -> None:
    plain, noised = (
        prepare_tokens(replace(of_bytes(text), steps=steps))
        for steps in ((ExactDedup(),), (ExactDedup(), CharacterNoise(fraction=0.1)))
    )

    assert plain.data_hash != noised.data_hash
    np.testing.assert_array_equal(plain.held_out, noised.held_out)
    assert [step["kind"] for step in noised.record["steps"]] == ["exact_dedup", "character_noise"]


def test_steps_that_change_nothing_are_recorded_though_the_text_is_encoded_once(text: Path) -> None:
    plain, checked = (prepare_tokens(replace(of_bytes(text), steps=steps)) for steps in ((), (ExactDedup(),)))

    assert plain.data_hash == checked.data_hash
    assert [len(data.record["steps"]) for data in (plain, checked)] == [0, 1]


def test_symbols_are_the_source_itself_and_its_end_is_held_out() -> None:
    source = ZipfBigram(vocab=40, tokens=5000, seed=2)
    data = prepare_tokens(Data(corpus=source, tokenizer=Symbols(vocab=40), held_out=0.1))

    np.testing.assert_array_equal(np.concatenate([data.train, data.held_out]), draw_tokens(source))
    assert len(data.held_out) == 500
    assert data.record["entropy_rate"] == entropy_rate(source)
    assert data.scored(context=10, tokens=100)[0].text_bytes == 0


def test_symbols_are_split_between_blocks() -> None:
    source = SparseParity(tasks=10, tokens=5000, bits=6)
    data = prepare_tokens(Data(corpus=source, tokenizer=Symbols(vocab=12), held_out=0.1))

    assert len(data.train) % 8 == len(data.held_out) % 8 == 0
    assert data.held_out[::8].min() >= 2  # tasks come first


def test_too_few_symbols_to_split_are_a_sentence() -> None:
    source = SparseParity(tasks=10, tokens=15, bits=6)

    with pytest.raises(InputError, match=r"15 tokens of sparse_parity cannot be split .* Ask for more"):
        prepare_tokens(Data(corpus=source, tokenizer=Symbols(vocab=12)))


def test_the_content_of_a_tokenizer_file_is_part_of_the_identity(text: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    chosen = TokenizerFile(path=str(path), vocab=300, end_of_document="<|end|>")
    data = replace(of_bytes(text), tokenizer=chosen)
    trained = prepare_tokens(replace(data, tokenizer=Bpe(vocab=300)))
    content = (_folder(trained) / "tokenizer.json").read_text()

    path.write_text(content)
    first = prepare_tokens(data)
    path.write_text(content + "\n")
    second = prepare_tokens(data)

    assert first.data_hash != second.data_hash
    assert first.held_out_bytes.sum() == first.record["bytes"]["held_out"]
    assert abs(len(first.train) - len(trained.train)) < 0.01 * len(trained.train)  # blocks of lines aside


def _folder(data: TokenData) -> Path:
    from allometry.lab.token_cache import token_folder

    return token_folder(data.data_hash)
