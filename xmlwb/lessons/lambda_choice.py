"""Chapter 07: lambda by validation rows, over seeds; and how good the best of many equal settings looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from ipywidgets import SelectionSlider
from numpy.typing import NDArray

from xmlwb.datasets import Dataset
from xmlwb.metrics import precision_at_k
from xmlwb.models.glas import EmbeddingClassifier
from xmlwb.plots.lambda_choice import best_of_many_figure, lambda_figure
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE


@dataclass(frozen=True)
class LambdaStudy:
    """P@1 by lambda and seed.

    Attributes
    ----------
    lambdas : list of float
    valid, test : ndarray, shape (n_lambdas, n_seeds)
        Fractions, after the last epoch; with ``patience`` among the settings, after the one that was best on
        validation rows.
    """

    lambdas: list[float]
    valid: NDArray[np.float64]
    test: NDArray[np.float64]

    def figure(self, chosen: float | None = None) -> go.Figure:
        """Both by lambda; the chosen one is ringed."""
        return lambda_figure(self.lambdas, self.valid, self.test, chosen)


def lambda_study(
    ds: Dataset,
    lambdas: Sequence[float],
    *,
    seeds: Sequence[int] = (0, 1),
    progress: Callable[[str], Any] | None = None,
    **settings: Any,
) -> LambdaStudy:
    """Fit GLaS with each lambda and seed.

    Parameters
    ----------
    ds : Dataset
        With validation rows.
    lambdas : sequence of float
    seeds : sequence of int
    progress : callable, optional
        Told lambda and seed before each fit.
    **settings
        Of `EmbeddingClassifier`; with ``patience`` a fit ends, and is measured, at its best epoch.

    Raises
    ------
    ValueError
        If the data set has no validation rows.
    """
    if ds.X_valid is None or ds.Y_valid is None:
        raise ValueError(f"{ds.name} has no validation rows; wanted some")
    valid, test = np.zeros((2, len(lambdas), len(seeds)))
    for row, regularization in enumerate(lambdas):
        for column, seed in enumerate(seeds):
            if progress is not None:
                progress(f"lambda {regularization:g}, seed {seed}")
            model = EmbeddingClassifier(**{**settings, "regularization": regularization, "random_state": seed})
            model.fit(ds.X_train, ds.Y_train, eval_set=(ds.X_valid, ds.Y_valid))
            for found, X, Y in ((valid, ds.X_valid, ds.Y_valid), (test, ds.X_test, ds.Y_test)):
                found[row, column] = precision_at_k(Y, model.predict_topk(X, k=1), 1)[0]
    return LambdaStudy([float(value) for value in lambdas], valid, test)


def best_of_many(
    m: int, n: int, *, truth: float = 0.7, draws: int = 2_000, random_state: int = 0
) -> NDArray[np.float64]:
    """What the best of m settings measures on n test rows, all of them being right with the same chance.

    Parameters
    ----------
    m, n : int
        Settings tried, test rows.
    truth : float
        The chance of each setting to be right on a row.
    draws : int
        How often the whole is repeated.

    Returns
    -------
    ndarray, shape (draws,)
        The highest of m measured precisions; settings err independently of each other.
    """
    rng = np.random.default_rng(random_state)
    return np.asarray(rng.binomial(n, truth, size=(draws, m)).max(axis=1) / n)


def winners(truth: float = 0.7) -> SliderFigure:
    """Sliders for the settings tried and the test rows above what the best of them seems to reach."""

    def shown(m: int = 20, n: int = 1_500) -> go.Figure:
        return best_of_many_figure(best_of_many(m, n, truth=truth), best_of_many(1, n, truth=truth), truth, m, n)

    def notches(label: str, values: tuple[int, ...], start: int) -> SelectionSlider:
        options = [(f"{value:,}", value) for value in values]
        return SelectionSlider(
            options=options, value=start, description=label, style=STYLE, layout={"width": "min(420px, 95%)"}
        )

    return slider_figure(
        shown,
        m=notches("settings tried", (1, 2, 5, 10, 20, 50, 100), 20),
        n=notches("test rows", (150, 500, 1_500, 5_000, 15_000), 1_500),
        alt="Distribution of the best of many equally good settings on test rows",
    )
