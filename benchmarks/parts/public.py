"""Public tables as runs, from the folder ALLOMETRY_DATA names or the one beside the checkout."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import allometry as al

FOLDER = Path(os.environ.get("ALLOMETRY_DATA") or Path(__file__).parents[3] / "shared" / "data")


class Absent(Exception):
    """The table is not on this machine."""


@dataclass(frozen=True, kw_only=True)
class PublicTable:
    """A table with one row a run, or a checkpoint that counts as one.

    Attributes:
        reader: From the table as published to canonical columns; each row has a run_id.
        note: What was changed or left out.
    """

    name: str
    file: str
    reader: Callable[[pd.DataFrame], pd.DataFrame]
    note: str = ""

    def runs(self) -> al.Runs:
        """The runs, with compute as 6 · params · tokens whatever the table says.

        Raises:
            Absent: If the file is not there.
        """
        path = FOLDER / self.file
        if not path.is_file():
            raise Absent(f"{self.file} is not in {FOLDER.name}; point ALLOMETRY_DATA at the public tables")
        table = self.reader(pd.read_csv(path)).reset_index(drop=True)
        table["flops"] = 6.0 * table["params"].astype(float) * table["tokens"].astype(float)
        return al.Runs(table, source=self.name)


def _hoffmann(table: pd.DataFrame) -> pd.DataFrame:
    return _numbered(table[table["excluded_in_published_fit"] == 0])


def _gadre(dataset: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def read(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["dataset"] == dataset].rename(columns={"name": "run_id"})

    return read


def _llama(table: pd.DataFrame) -> pd.DataFrame:
    return _numbered(table[table["condition"] == "raw_loss"])


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns={"name": "run_id", "depth": "layers"})


def _repeated(table: pd.DataFrame) -> pd.DataFrame:
    return _named(table[table["loss"] < 5])


def _ladder(table: pd.DataFrame) -> pd.DataFrame:
    last = table.sort_values("step").groupby("run", as_index=False).last()
    size = last["run"].str.split("-").str[0]
    # The rung called 10xC has 200 tokens per parameter: it tells the size of 3B, which the table leaves out.
    tenfold = last["run"].str.endswith("-10xC")
    params = last["N"].fillna(size.map(dict(zip(size[tenfold], last["tokens"][tenfold] / 200, strict=True))))
    return pd.DataFrame(
        {"run_id": last["run"], "params": params, "tokens": last["tokens"], "loss": last["c4_loss"]}
    )


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(run_id=[f"row {row + 1}" for row in range(len(table))])


HOFFMANN = PublicTable(
    name="Hoffmann",
    file="hoffmann_chinchilla_epoch.csv",
    reader=_hoffmann,
    note="the 240 rows of the published fit",
)
TABLES = (
    HOFFMANN,
    PublicTable(name="Gadre c4", file="gadre_overtraining.csv", reader=_gadre("c4_original")),
    PublicTable(name="Gadre rw", file="gadre_overtraining.csv", reader=_gadre("rw_original")),
    PublicTable(
        name="Llama 3 IsoFLOP",
        file="llama3_isoflop.csv",
        reader=_llama,
        note="one of the two readings of the axis (raw_loss); rows flagged as outliers kept",
    ),
    PublicTable(
        name="Gemstones",
        file="gemstones_hot.csv",
        reader=_named,
        note="ten undecayed checkpoints of each of 22 models; its flops column overflowed, recomputed as 6ND",
    ),
    PublicTable(
        name="Muennighoff", file="muennighoff_data_constrained.csv", reader=_repeated, note="losses below 5"
    ),
    PublicTable(
        name="OLMo ladder",
        file="olmo_ladder_runs.csv",
        reader=_ladder,
        note="last checkpoint of each run; params of 3B from the tokens of its 10xC run",
    ),
)
