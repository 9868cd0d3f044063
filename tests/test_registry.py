"""A catalog can be read and not changed, and helps those who misspell."""

import pytest

from allometry.errors import InputError, UnknownName
from allometry.registry import Catalog

FRUIT = Catalog("fruit", {"apple": 1, "pear": 2})


def test_a_catalog_reads_like_a_mapping_in_the_order_given() -> None:
    assert list(FRUIT) == ["apple", "pear"]
    assert dict(FRUIT) == {"apple": 1, "pear": 2}
    assert ("apple" in FRUIT, "plum" in FRUIT, len(FRUIT)) == (True, False, 2)


def test_an_unknown_name_is_refused_with_the_nearest_and_all() -> None:
    with pytest.raises(
        UnknownName, match=r"There is no fruit 'Aple'\. Did you mean 'apple'\? There are: apple, pear"
    ):
        FRUIT["Aple"]
    with pytest.raises(InputError, match=r"There is no fruit 'zzz'\. There are"):
        FRUIT["zzz"]


def test_entries_are_copied_and_cannot_be_set() -> None:
    entries = {"apple": 1}
    catalog = Catalog("fruit", entries)

    entries["plum"] = 3

    assert "plum" not in catalog
    with pytest.raises(TypeError):
        catalog["plum"] = 3  # type: ignore[index]


def test_a_catalog_shows_what_it_holds() -> None:
    assert repr(FRUIT) == "Catalog(fruit: apple, pear)"
