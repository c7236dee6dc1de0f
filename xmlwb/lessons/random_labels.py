"""Chapter 07: theorems 2.1 and B.1 under the reader's hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import plotly.graph_objects as go
from ipywidgets import SelectionSlider
from scipy.sparse import csr_array

from xmlwb.lessons import theory
from xmlwb.plots.random_labels import Curve, projection_figure, separation_figure
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE

#: What the sliders stop at.
DIMS = (8, 16, 32, 64, 128, 256, 512, 1024)
LABELS = (100, 1_000, 5_000, 20_000)
SUM, BEST = "the sum of its labels' vectors", "the best place that a perceptron finds"


class RandomLabels:
    """Theorem 2.1 for `slider_figure`; no vectors are drawn twice.

    Parameters
    ----------
    n : int
        Instances of a draw.
    steps : int
        Perceptron steps for the best place.
    random_state : int
    """

    def __init__(self, *, n: int = 64, steps: int = 300, random_state: int = 0) -> None:
        self._n, self._steps, self._random_state = n, steps, random_state
        self._curves: dict[tuple[int, int], dict[int, theory.Trial]] = {}
        self._best: dict[tuple[int, int], dict[int, theory.Trial]] = {}

    def __call__(self, d: int = 64, s: int = 5, K: int = 20_000, phi: str = SUM) -> go.Figure:
        """The figure of one place of the sliders."""
        trials = self._curve(s, K)
        fine = np.geomspace(DIMS[0], DIMS[-1], 80)
        measured = [trials[one].perfect if phi == SUM else trials[one].ranked for one in DIMS]
        curves = {"φ = sum": Curve(DIMS, measured, "measured")}
        if phi == SUM:
            trial = trials[d]
            expected = [theory.expected_accuracy(x, s, K) for x in fine]
            curves["the same, by a normal distribution"] = Curve(fine.tolist(), expected, "expected")
            right, scale = trial.perfect, 1.0
            title = f"d = {d}, s = {s}, K = {K:,}: <b>{right:.0%} of the instances</b> have no mistake"
            subtitle = (
                f"threshold ½; the theorem's ⅓ and ⅔ are kept by {trial.promised:.0%}; "
                f"all {s} labels rank first for {trial.ranked:.0%}"
            )
        else:
            trial = self._fitted(d, s, K)
            found = self._best[s, K]
            known = sorted(found)
            curves["φ = best, where you looked"] = Curve(known, [found[one].ranked for one in known], "best")
            right, scale = trial.ranked, float(trial.relevant.mean())
            title = f"d = {d}, s = {s}, K = {K:,}: <b>for {right:.0%} of the instances</b> all {s} labels rank first"
            subtitle = f"the same random vectors; with φ the sum, for {trials[d].ranked:.0%}"
        return separation_figure(
            trial.relevant.ravel() / scale,
            trial.sample / scale,
            trial.irrelevant / scale,
            curves,
            (d, right),
            title=title,
            subtitle=subtitle,
            bounds={
                "d of the paper's proof": theory.proof_dimension(s, self._n, K, all_labels=False),
                "the same, all labels counted": theory.proof_dimension(s, self._n, K),
            }
            if phi == SUM
            else {},
            lines={"⅓": 1 / 3, "½": 1 / 2, "⅔": 2 / 3} if phi == SUM else {},
            score="score φ(x) · v" if phi == SUM else "score φ(x) · v, a relevant label's mean = 1",
            step=2 / d if phi == SUM else 0.01,
        )

    def _curve(self, s: int, K: int) -> dict[int, theory.Trial]:
        if (s, K) not in self._curves:
            trials = theory.accuracy_by_dimension(s, K, DIMS, n=self._n, random_state=self._random_state)
            self._curves[s, K] = {trial.d: trial for trial in trials}
        return self._curves[s, K]

    def _fitted(self, d: int, s: int, K: int) -> theory.Trial:
        known = self._best.setdefault((s, K), {})
        if d not in known:
            rng = np.random.default_rng(self._random_state)
            V = theory.random_signs(K, d, rng)
            labels = theory.random_label_sets(self._n, s, K, rng)
            phi, _ = theory.fitted_places(V, labels, steps=self._steps)
            known[d] = theory.perfect_accuracy(V, labels, phi)
        return known[d]


def random_labels(*, n: int = 64, steps: int = 300, random_state: int = 0) -> SliderFigure:
    """Sliders for d, s and K above theorem 2.1's scores and the share of the instances without a mistake."""
    return slider_figure(
        RandomLabels(n=n, steps=steps, random_state=random_state),
        d=_notches("dimension d", DIMS, 64),
        s=(1, 12),
        K=_notches("labels K", LABELS, 20_000),
        phi=[SUM, BEST],
        labels={"s": "labels s of an instance", "phi": "φ(x)"},
        alt="Scores of relevant and irrelevant labels under random label vectors, and accuracy by dimension",
    )


class ProjectedLabels:
    """Theorem B.1 for `slider_figure`, on a sample of real documents.

    Parameters
    ----------
    Y : csr_array, shape (n, K)
        Labels of the sample.
    random_state : int
    """

    def __init__(self, Y: csr_array, *, random_state: int = 0) -> None:
        self._Y, self._random_state = Y, random_state
        self._counts = np.bincount(Y.indices, minlength=Y.shape[1])
        self._projections = cache(self._project)

    def __call__(self, d: int = 64, a: int = 3) -> go.Figure:
        """The figure of one place of the sliders."""
        found = {one: self._projections(one, a) for one in DIMS}
        now = found[d]
        Y = self._with_at_most(a)
        U = theory.geometric_mean(Y).toarray()
        rows, columns = np.triu_indices(Y.shape[1], 1)
        kept = _thinned(U[rows, columns], 3_000)
        rows, columns = rows[kept], columns[kept]
        n, K = Y.shape
        return projection_figure(
            U[rows, columns],
            np.einsum("pd,pd->p", now.V[rows], now.V[columns]),
            now.epsilon,
            {one: found[one].largest_error for one in DIMS},
            {one: found[one].perfect for one in DIMS},
            d,
            title=f"d = {d}: largest error {now.largest_error:.2f}, <b>{now.perfect:.0%} of the documents</b> "
            "have no mistake",
            subtitle=f"{n:,} documents, the {K} labels of at most a = {a} of them; threshold ε = 1 / (2√a) = "
            f"{now.epsilon:.2f}",
        )

    def _with_at_most(self, a: int) -> csr_array:
        return csr_array(self._Y[:, np.flatnonzero((self._counts > 0) & (self._counts <= a))])

    def _project(self, d: int, a: int) -> theory.Projection:
        return theory.johnson_lindenstrauss(self._with_at_most(a), d, np.random.default_rng(self._random_state))


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    """Places of all pairs above 0, and of as many others as there is room for, spread evenly."""
    some, none = np.flatnonzero(values > 0), np.flatnonzero(values == 0)
    if len(some) > most // 2:
        some = some[:: -(-len(some) // (most // 2))]
    room = most - len(some)
    return np.concatenate([some, none[:: max(1, -(-len(none) // room))]])


def projected_labels(Y: csr_array, *, random_state: int = 0) -> SliderFigure:
    """Sliders for d and a above theorem B.1's inner products and errors.

    Parameters
    ----------
    Y : csr_array, shape (n, K)
        Labels of some hundred documents: all errors are computed.
    """
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    steps = [a for a in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500) if a < counts.max()] + [int(counts.max())]
    return slider_figure(
        ProjectedLabels(Y, random_state=random_state),
        d=_notches("dimension d", DIMS, 64),
        a=_notches("most documents of a label, a", steps, 3),
        alt="Inner products of projected label vectors beside geometric means of conditional frequencies",
    )


def _notches(label: str, values: tuple[int, ...] | list[int], start: int) -> SelectionSlider:
    """A slider that stops at the given values only."""
    options = [(f"{value:,}", value) for value in values]
    return SelectionSlider(
        options=options, value=start, description=label, style=STYLE, layout={"width": "min(420px, 95%)"}
    )
