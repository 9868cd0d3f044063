"""Every tokenizer gives tokens that stand for all bytes of the text, once each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, processors

from allometry.errors import CorruptFile, InputError
from allometry.lab.encoders import ByteEncoder, Encoder, FileEncoder, encode_documents, ids_type, open_encoder
from allometry.recipe import Bpe, TokenizerFile, Utf8Bytes

END = "<end>"


def byte_level() -> Encoder:
    return open_encoder(Bpe(vocab=270), ["the cat and the hat and the bat\n" * 9])


def normalising() -> Encoder:
    """Lower case, no accents, unknown words, white space thrown away."""
    tokenizer = tokenizers.Tokenizer(models.WordLevel({END: 0, "?": 1, "the": 2, "cat": 3}, unk_token="?"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return FileEncoder(tokenizer, TokenizerFile(path="x", vocab=4, end_of_document=END))


def byte_fallback() -> Encoder:
    """As SentencePiece does: a mark before each word, and bytes for characters it has no token for."""
    names = [END, "\u2581", "a", "c", "t", "?", *(f"<0x{byte:02X}>" for byte in range(256))]
    model = models.BPE(dict(zip(names, range(262), strict=True)), [], unk_token="?", byte_fallback=True)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return FileEncoder(tokenizer, TokenizerFile(path="x", vocab=262, end_of_document=END))


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "bytes": ByteEncoder,
    "bpe": cache(byte_level),
    "normalising": cache(normalising),
    "byte_fallback": cache(byte_fallback),
}
TEXTS = st.text(alphabet=st.sampled_from("the catTHÉé\u0301ﬁ漢🙂 \t\n\x00\u2028\u2581<0x>"), max_size=40)


@pytest.mark.parametrize("name", list(ENCODERS))
@given(text=TEXTS)
def test_sizes_add_up_to_the_bytes_of_the_text_and_ids_are_those_without_sizes(name: str, text: str) -> None:
    encoder = ENCODERS[name]()

    ids, sizes = encoder.encode_sized(text)

    assert len(ids) == len(sizes)
    assert sizes.sum() == len(text.encode())
    assert ids.tolist() == [*encoder.encode(text), encoder.end]


def test_bytes_are_the_bytes() -> None:
    assert ByteEncoder().encode("aé").tolist() == [97, 195, 169]
    assert open_encoder(Utf8Bytes(), []).vocab == 257


def test_documents_are_joined_with_their_ends() -> None:
    ids, starts = encode_documents(ByteEncoder(), ["ab", "", "c"])

    assert ids.tolist() == [97, 98, 256, 256, 99, 256]
    assert starts.tolist() == [0, 3, 4, 6]


def write(path: Path, vocab: dict[str, int]) -> Path:
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(path), pretty=False)
    return path


def chosen(path: Path, vocab: int = 4) -> TokenizerFile:
    return TokenizerFile(path=str(path), vocab=vocab, end_of_document=END)


SMALL = {"?": 0, END: 1, "a": 2, "b": 3}


def test_a_vocabulary_above_16_bits_is_kept_in_32(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", {"?": 0, END: 1, "low": 7, "high": 69_999})

    encoder = open_encoder(chosen(path, 70_000), [])

    assert encoder.encode("high low").tolist() == [69_999, 7]
    assert encoder.encode("low").dtype == encoder.encode_sized("low")[0].dtype == np.uint32
    assert [ids_type(vocab) for vocab in (2**16, 2**16 + 1, 2**32)] == [np.uint16, np.uint32, np.uint32]


def test_what_a_file_says_about_truncation_padding_and_special_tokens_does_not_change_the_text(
    tmp_path: Path,
) -> None:
    plain = tokenizers.Tokenizer(models.WordLevel(SMALL, unk_token="?"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    plain.add_special_tokens(["<s>"])
    plain.post_processor = processors.TemplateProcessing(single=f"{END} $A {END}", special_tokens=[(END, 1)])
    plain.enable_truncation(3)
    plain.enable_padding(length=9)
    plain.save(str(tmp_path / "t.json"))

    encoder = open_encoder(chosen(tmp_path / "t.json", 5), [])

    assert encoder.encode("a b b <s> b").tolist() == [
        2,
        3,
        3,
        0,
        3,
    ]  # not 4: the text spells no special token


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.json cannot be read: No such file.*A relative path starts at"):
        open_encoder(chosen(tmp_path / "t.json"), [])


@pytest.mark.parametrize("content", ["", "no JSON", "{}", '{"model": {"type": "Unheard"}}', "[" * 9999])
def test_a_file_that_is_no_tokenizer_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)

    with pytest.raises(CorruptFile, match=r"t\.json is not a tokenizer\.json of the tokenizers library"):
        open_encoder(chosen(tmp_path / "t.json"), [])


def test_another_vocabulary_than_stated_is_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", SMALL)

    with pytest.raises(
        InputError, match=r"highest token id of .* is 3 and the recipe's vocab 5; set vocab to 4"
    ):
        open_encoder(chosen(path, 5), [])


def test_an_unknown_end_of_document_is_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json", SMALL)

    with pytest.raises(
        InputError, match=r"has no token '<ende>' to end a document with\. Did you mean '<end>'"
    ):
        open_encoder(TokenizerFile(path=str(path), vocab=4, end_of_document="<ende>"), [])
