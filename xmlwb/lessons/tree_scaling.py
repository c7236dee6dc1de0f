"""How label trees scale with the number of labels: the runs of benchmarks/tree_scaling.py, and what they say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

#: Where the benchmark writes its table; the package carries it.
RESULTS = Path(__file__).with_name("tree_scaling.csv")
#: The beam of the papers' and the peers' default.
BEAM = 10
_COMMAND = "python benchmarks/tree_scaling.py"
_COLUMNS = {
    "method", "distribution", "L", "n", "d", "beam", "train_s", "peak_GiB", "model_MB", "ms_per_instance", "P@1", "P@5",
    "PSP@5", "recall@1", "recall@5",
}  # fmt: skip


def measured_scaling(path: str | os.PathLike = RESULTS) -> pd.DataFrame:
    """Parabel and Bonsai from 10^3 labels upward, under several label distributions, as measured.

    Parameters
    ----------
    path : path-like
        Another table that the benchmark wrote.

    Returns
    -------
    DataFrame
        A row for each method, label distribution, number of labels L and beam: ``n`` training instances of ``d``
        features, ``train_s`` seconds, ``peak_GiB`` of the whole training process, ``model_MB`` of the model's file,
        ``ms_per_instance`` of a prediction, P, PSP and beam recall in per cent.

    Raises
    ------
    FileNotFoundError
        Nothing has been measured yet.
    ValueError
        The file is another table.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted the table that {_COMMAND} writes")
    table = pd.read_csv(path)
    missing = sorted(_COLUMNS - set(table))
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; wanted the table that {_COMMAND} writes")
    return table


def prediction_growth(table: pd.DataFrame, beam: int = BEAM) -> pd.DataFrame:
    r"""Does the time of a prediction grow faster than log L?

    Fits :math:`\text{ms} = c \, (\ln L)^p` by least squares on the logarithms, and
    :math:`\text{ms} = a + b \log_{10} L`.
    A p of 1 is growth like log L; a line in log L that starts above 0 has a p below 1.

    Parameters
    ----------
    table : DataFrame
        As `measured_scaling` returns.
    beam : int
        Which beam's rows to fit.

    Returns
    -------
    DataFrame
        Indexed by method and distribution; last for each method a row "all", one p for all distributions, each with a
        c of its own (its a and b are empty). Columns ``p``, its standard error ``p_se`` (empty with fewer than three
        points), ``a``, ``b`` in ms, and ``points``.

    Raises
    ------
    ValueError
        The table has no rows of that beam.
    """
    rows = table[table["beam"] == beam]
    if rows.empty:
        raise ValueError(f"beam is {beam}; the table has {', '.join(map(str, sorted(set(table['beam']))))}")
    fits = {}
    for method, of_method in rows.groupby("method", sort=False):
        for distribution, points in of_method.groupby("distribution", sort=False):
            b, a = np.nan, np.nan
            if points["L"].nunique() > 1:
                b, a = np.polyfit(np.log10(points["L"]), points["ms_per_instance"], 1)
            fits[method, distribution] = {**_power(points), "a": a, "b": b, "points": len(points)}
        fits[method, "all"] = {**_power(of_method), "a": np.nan, "b": np.nan, "points": len(of_method)}
    growth = pd.DataFrame.from_dict(fits, orient="index")
    return growth.rename_axis(["method", "distribution"])


def _power(points: pd.DataFrame) -> dict[str, float]:
    """p of ms = c (ln L)^p with a c for each distribution, and its standard error."""
    logs = pd.DataFrame(
        {"x": np.log(np.log(points["L"])), "y": np.log(points["ms_per_instance"]), "group": points["distribution"]}
    )
    centred = logs[["x", "y"]] - logs.groupby("group")[["x", "y"]].transform("mean")
    x, y = centred["x"].to_numpy(), centred["y"].to_numpy()
    spread = float(x @ x)
    if spread == 0:
        return {"p": np.nan, "p_se": np.nan}
    p = float(x @ y) / spread
    freedom = len(points) - logs["group"].nunique() - 1
    residual = y - p * x
    return {"p": p, "p_se": float(np.sqrt(residual @ residual / freedom / spread)) if freedom > 0 else np.nan}
