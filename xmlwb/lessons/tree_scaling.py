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
    "PSP@5", "recall@1", "recall@5", "depth",
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

    Three fits by least squares, x being :math:`\log_{10} L`. The line :math:`\text{ms} = a + b x`: growth like a
    logarithm. The same with :math:`c x^2` added: c above 0 is faster growth, a bend upward. And
    :math:`\text{ms} \propto x^p`: p at most 1 is growth in proportion to log L, or slower; a tree that begins where
    L exceeds its leaf has a line with a below 0, hence a p above 1, until L is much larger than the leaf.

    Parameters
    ----------
    table : DataFrame
        As `measured_scaling` returns.
    beam : int
        Which beam's rows to fit.

    Returns
    -------
    DataFrame
        Indexed by method and distribution; last for each method a row "all": one p, one c for all distributions, each
        of which keeps a scale, a line of its own. Columns ``a``, ``b`` and ``c`` in ms, ``c_se``, ``p``, ``p_se``
        (standard errors), ``points``. What the points are too few for is NaN.

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
            x, ms = np.log10(points["L"].to_numpy(dtype=float)), points["ms_per_instance"].to_numpy()
            (a, b), _ = _least_squares(np.stack([np.ones_like(x), x], axis=1), ms)
            fits[method, distribution] = {"a": a, "b": b, **_shape(points)}
        fits[method, "all"] = {"a": np.nan, "b": np.nan, **_shape(of_method)}
    growth = pd.DataFrame.from_dict(fits, orient="index")
    return growth.rename_axis(["method", "distribution"])


def growth_in_words(table: pd.DataFrame, beam: int = BEAM) -> str:
    """A sentence for each method: what ten times as many labels add to a prediction, and whether that is log L.

    The bend c of `prediction_growth`, all distributions together, decides: within two standard errors of 0 the points
    are a line in log L.
    """
    growth = prediction_growth(table, beam)
    return "\n".join(
        _verdict(str(method), growth.loc[method]) for method in dict.fromkeys(growth.index.get_level_values(0))
    )


def nodes_and_time(table: pd.DataFrame, beam: int = BEAM, n_trees: int = 3) -> pd.DataFrame:
    """How many nodes a prediction of Parabel visits, and how long it stays at one: why time grows as it does.

    A level of a binary tree has 2, 4, 8 ... nodes, of which the beam keeps at most its width. From the level on that is
    wider than the beam, each level adds the same: the nodes are a line in log L. What is left of the growth is the time
    at a node, which rises when the model no longer fits into the processor's caches.

    Parameters
    ----------
    table : DataFrame
        As `measured_scaling` returns.
    beam : int
    n_trees : int
        Trees of the measured model.

    Returns
    -------
    DataFrame
        Indexed by L, means over the distributions: ``depth``, ``nodes`` visited in all trees, ``ms`` an instance, the
        nanoseconds of a ``node`` ("ns a node"), ``MB`` of the model.
    """
    rows = table[(table["method"] == "Parabel") & (table["beam"] == beam)]
    nodes = [n_trees * sum(min(beam, 2**level) for level in range(int(depth))) for depth in rows["depth"]]
    rows = rows.assign(nodes=nodes, ms=rows["ms_per_instance"], MB=rows["model_MB"])
    means = rows.groupby("L")[["depth", "nodes", "ms", "MB"]].mean()
    means.insert(3, "ns a node", 1e6 * means["ms"] / means["nodes"])
    return means


def _verdict(method: str, fits: pd.DataFrame) -> str:
    slope = fits["b"].drop("all").to_numpy(dtype=float)
    c, error = fits.loc["all", ["c", "c_se"]]
    added = " to ".join(dict.fromkeys(f"{value:.2g}" for value in (slope.min(), slope.max())))
    bend = f" (bend {c:.2g} +- {2 * error:.1g})"
    if np.isnan(c) or np.isnan(error):
        said, bend = "too few points to tell a line in log L from a bend", ""
    elif abs(c) <= 2 * error:
        said = "a line in log L fits, as far as the points can tell"
    elif c > 0:
        said = "not a line in log L: it bends upward, faster growth"
    else:
        said = "not a line in log L: it bends downward, slower growth"
    return f"{method}: ten times as many labels add {added} ms an instance; {said}{bend}."


def _shape(points: pd.DataFrame) -> dict[str, float]:
    """c and p, with their standard errors; a line and a scale of its own for each distribution."""
    own = pd.get_dummies(points["distribution"]).to_numpy(dtype=float)  # (points, distributions)
    x, ms = np.log10(points["L"].to_numpy(dtype=float)), points["ms_per_instance"].to_numpy()
    bend, bend_se = _least_squares(np.column_stack([own, own * x[:, None], x**2]), ms)
    power, power_se = _least_squares(np.column_stack([own, np.log(x)]), np.log(ms))
    return {"c": bend[-1], "c_se": bend_se[-1], "p": power[-1], "p_se": power_se[-1], "points": len(points)}


def _least_squares(A: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their standard errors; NaN where the points do not determine them."""
    unknown = np.full(A.shape[1], np.nan)
    if np.linalg.matrix_rank(A) < A.shape[1]:
        return unknown, unknown
    found = np.linalg.lstsq(A, y)[0]
    freedom = len(y) - A.shape[1]
    if freedom == 0:
        return found, unknown
    residual = y - A @ found
    return found, np.sqrt(residual @ residual / freedom * np.diag(np.linalg.inv(A.T @ A)))
