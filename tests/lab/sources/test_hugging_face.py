"""A dataset of the hub is read as stated, once. Its library, large and online, has a stand-in here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from allometry.errors import CorruptFile, InputError, MissingExtra
from allometry.lab.sources.hugging_face import read_dataset
from allometry.recipe import HuggingFace

SOURCE = HuggingFace(name="owner/stories", revision="0a1b2c", config="en", split="train", documents=3)


class Hub:
    """Answers as `datasets.load_dataset` does with streaming=True, and remembers what it was asked."""

    def __init__(self, column: str = "text") -> None:
        self.asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.read = 0
        self.column = column

    def load_dataset(self, *given: Any, **named: Any) -> Iterator[dict[str, Any]]:
        self.asked.append((given, named))
        if named["split"] == "trian":
            raise ValueError("Bad split: trian. Available splits: ['train']\nmore")
        if named["revision"] == "offline":
            raise ConnectionError("Couldn't reach the hub")
        return self.rows()

    def rows(self) -> Iterator[dict[str, Any]]:
        while True:
            self.read += 1
            yield {self.column: f"story {self.read}" if self.read != 2 else "", "id": self.read}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=hub.load_dataset))
    return hub


def test_the_dataset_is_streamed_as_stated(hub: Hub) -> None:
    read_dataset(SOURCE)

    assert hub.asked == [
        (("owner/stories", "en"), {"split": "train", "revision": "0a1b2c", "streaming": True})
    ]


def test_no_more_is_read_than_asked(hub: Hub) -> None:
    documents = read_dataset(SOURCE)

    assert [one.text for one in documents] == ["story 1", "story 3", "story 4"]  # row 2 is empty
    assert hub.read == 4


def test_documents_are_taken_until_there_are_enough_bytes(hub: Hub) -> None:
    documents = read_dataset(HuggingFace(name="d", revision="r", bytes=15))

    assert [one.text for one in documents] == ["story 1", "story 3", "story 4"]  # 7 bytes each


def test_what_was_read_is_not_fetched_again(hub: Hub) -> None:
    first = read_dataset(SOURCE)

    assert read_dataset(SOURCE) == first
    assert len(hub.asked) == 1


def test_what_is_stated_otherwise_is_fetched(hub: Hub) -> None:
    read_dataset(SOURCE)
    read_dataset(HuggingFace(name="owner/stories", revision="main", documents=3))

    assert len(hub.asked) == 2


def test_damaged_documents_are_named_with_the_way_out(hub: Hub, tmp_path: Path) -> None:
    read_dataset(SOURCE)
    (kept,) = (tmp_path / "datasets").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"story 3", b"story 5"))

    with pytest.raises(CorruptFile, match=rf"{kept.name} are damaged\. Delete that file; they are fetched"):
        read_dataset(SOURCE)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split": "trian"}, r"split trian, revision r, cannot be read: Bad split: .* \['train'\]$"),
        ({"revision": "offline"}, r"revision offline, cannot be read: Couldn't reach the hub$"),
        ({"column": "txt"}, r"Row 0 .* no text in 'txt'\. Did you mean 'text'\? Columns of text: text\."),
    ],
)  # fmt: skip
def test_what_the_hub_does_not_have_is_a_sentence(hub: Hub, changes: dict[str, str], says: str) -> None:
    stated: dict[str, Any] = {"name": "d", "revision": "r", "documents": 3} | changes

    with pytest.raises(InputError, match=says):
        read_dataset(HuggingFace(**stated))


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOMETRY_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(MissingExtra, match=r"needs datasets\. Run: pip install 'allometry\[hf\]'"):
        read_dataset(SOURCE)
