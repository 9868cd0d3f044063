"""What a watt, a dollar or a second buys, by the user's own measure of what is bought."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from allometry.errors import InputError
from allometry.runs.run import Runs
from allometry.trends.account import TrendAccount, series_account


def intelligence_per(runs: Runs, numerator: str, per: str, **more: Any) -> TrendAccount:
    """How fast a ratio grows that the user defines, through the best at its date.

    Args:
        numerator: A column, or an SQL expression over columns, such as "score * tokens_per_second".
        per: The same for what it is divided by: power_watts, price_usd.
        more: As `series_account` takes: date, since, until, at, reaches, level, draws, seed; best="highest"
            unless another is given.

    Raises:
        InputError: If an expression cannot be understood, or the ratio is not above zero.
        FitError: With fewer than four dated points.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"year": [2020, 2021, 2022, 2023], "score": [1.0, 2, 4, 8], "power_watts": 50.0})
    >>> made = intelligence_per(Runs(table), "10 * score", "power_watts", draws=20)
    >>> made.series.name, round(made.trend.doublings.value, 6)
    ('10 * score per power_watts', 1.0)
    """
    name = f"{numerator} per {per}"
    ratio = f"CAST({numerator} AS DOUBLE) / NULLIF(CAST({per} AS DOUBLE), 0)"
    made = replace(runs, table=runs.table.assign(**{name: _computed(runs, ratio)}))
    return series_account(made, name, **{"best": "highest", **more})


def _computed(runs: Runs, expression: str) -> Any:
    import duckdb  # here: most commands compute nothing, and it takes a tenth of a second

    # The expression comes from the user; DuckDB still gets no access to files or network.
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("runs", runs.table.assign(_row=np.arange(len(runs))))
        try:
            found = connection.execute(f"SELECT {expression} FROM runs ORDER BY _row").fetchnumpy()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            columns = ", ".join(map(str, runs.table.columns))
            raise InputError(f"Cannot compute {expression}: {reason}. Columns: {columns}.") from error
    (values,) = found.values()
    return np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
