"""Dates are read as they are written in tables of releases, and nothing is guessed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from allometry.errors import InputError
from allometry.trends.dates import decimal_year, decimal_years, show_date


def test_text_dates_timestamps_and_years_of_one_day_agree() -> None:
    given = ["2024-03-14", pd.Timestamp("2024-03-14"), date(2024, 3, 14), np.datetime64("2024-03-14")]
    days = (date(2024, 3, 14) - date(2020, 1, 1)).days

    assert decimal_years(given) == pytest.approx([2020 + days / 365.25] * 4, abs=1e-12)
    assert decimal_years(["2024.2", 2024.2]).tolist() == [2024.2, 2024.2]


def test_a_missing_date_is_nan_in_a_column_and_refused_by_itself() -> None:
    assert np.isnan(decimal_years([None, float("nan"), pd.NaT, ""])).all()
    with pytest.raises(InputError, match="needed; write it like"):
        decimal_year(None)


@pytest.mark.parametrize("given", ["03/04/2024", "soon", "2024-13-01", 20240314, True])
def test_what_is_no_date_is_refused_with_its_row(given: object) -> None:
    with pytest.raises(InputError, match=r"Row 2: release .* write it like 2024-03-14"):
        decimal_years(["2024-01-01", given], name="release")


def test_a_year_is_shown_as_the_day_it_was_read_from() -> None:
    assert show_date(decimal_year("2025-02-24")) == "2025-02-24"
    assert [show_date(year) for year in (np.inf, 50_000.0, -5.0)] == ["never", "never", "before 1900"]
