"""Chapter 05: how a node of FastXML parts its instances, step by step, on documents that lie in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from xmlwb.datasets import Dataset
from xmlwb.metrics import propensities
from xmlwb.plots.instance_tree import split_figure
from xmlwb.solvers.ndcg_partition import partition_steps

Floats = NDArray[np.float64]
Phase = Literal["start", "ranking", "sign", "separator"]
_SHOWN = 8


@dataclass(frozen=True)
class SplitStep:
    """The state after one step of FastXML's split of a node.

    Attributes
    ----------
    round : int
        From 1; 0 for the start.
    phase : str
        "start" (sides drawn at random), "ranking" (the best ranking of the labels for each side), "sign" (each
        instance to the side whose ranking suits it better) or "separator" (a hyperplane learns the sides, and then
        says itself who goes where).
    side : ndarray of int, shape (n,)
        delta, 1 or -1.
    moved : ndarray of bool, shape (n,)
        Instances that changed sides in this step.
    rankings : two ndarrays of int, or None
        r+ and r-: the node's labels, the first label first. None at the start.
    ndcg : float
        The objective: mean nDCG of the instances under their side's ranking; NaN at the start. No "ranking" or "sign"
        step lowers it.
    separator : (w, b) or None
        Of the last step.
    """

    round: int
    phase: Phase
    side: NDArray[np.int64]
    moved: NDArray[np.bool_]
    rankings: tuple[NDArray[np.int64], NDArray[np.int64]] | None
    ndcg: float
    separator: tuple[Floats, float] | None = None


def split_steps(
    X: csr_array, Y: csr_array, *, C: float = 1.0, gains: Floats | None = None, random_state: int = 0
) -> list[SplitStep]:
    """All steps of the split of one node, by the kernels that grow the trees, until nobody changes sides.

    Parameters
    ----------
    X : csr_array, shape (n, d)
    Y : csr_array, shape (n, L)
    C : float
        Weight of the separator's loss against the L1 norm of its weights.
    gains : ndarray, shape (L,), optional
        What a right label is worth: 1 each, or 1 / p_l as in PfastreXML.
    random_state : int
        Of the first sides: each instance's is a coin.
    """
    steps: list[SplitStep] = []
    found = partition_steps(X.astype(np.float32), Y, seed=random_state, gains=gains, C=C)
    for part in found:
        side = part.delta.astype(np.int64)
        phase: Phase = part.kind  # type: ignore[assignment]
        moved = side != steps[-1].side if steps else np.zeros(len(side), dtype=bool)
        rankings = None if phase == "start" else (part.ranking_plus, part.ranking_minus)
        round_ = sum(step.phase == "ranking" for step in steps) + (phase == "ranking")
        separator = (part.w.astype(np.float64), part.bias) if phase == "separator" else None
        steps.append(SplitStep(round_, phase, side, moved, rankings, part.objective, separator))
    return steps


@dataclass(frozen=True)
class Scene:
    """Documents of one node, and where they are drawn.

    Attributes
    ----------
    X : csr_array, shape (n, d)
    Y : csr_array, shape (n, L)
    places : ndarray, shape (n, 2)
    label_names : list of str, length L
    documents : list of str, length n
    flat : bool
        Whether the features are the two coordinates, so that the separator is a line of the figure.
    """

    X: csr_array
    Y: csr_array
    places: Floats
    label_names: list[str]
    documents: list[str]
    flat: bool = False


def made_scene(*, n: int = 45, random_state: int = 1) -> Scene:
    """Four groups of documents in the plane: each has labels of its own, and all share two frequent ones."""
    rng = np.random.default_rng(random_state)
    groups = {"games": (-1.0, 0.8), "fonts": (-0.9, -0.9), "genes": (1.0, -0.8), "music": (0.9, 0.9)}
    parts = {"games": ("arcade", "chess"), "fonts": ("truetype", "type1"), "genes": ("dna", "protein")}
    parts["music"] = ("player", "mixer")
    names = ["program", "document", *(label for group in groups for label in (group, *parts[group]))]
    places, rows = [], []
    for group, centre in groups.items():
        places.append(rng.normal(centre, 0.42, size=(n, 2)))
        labels = np.zeros((n, len(names)))
        labels[:, 0] = rng.random(n) < 0.7
        labels[:, 1] = labels[:, 0] == 0
        labels[:, names.index(group)] = rng.random(n) < 0.95
        for label in parts[group]:
            labels[:, names.index(label)] = rng.random(n) < 0.3
        rows.append(labels)
    P = np.vstack(places)
    documents = [f"{group} {number + 1}" for group in groups for number in range(n)]
    return Scene(csr_array(P), csr_array(np.vstack(rows)), P, names, documents, flat=True)


def documents_scene(ds: Dataset, themes: Sequence[str], *, n: int = 70, random_state: int = 0) -> Scene:
    """Training documents that have exactly one of some labels, with all their labels and words, laid out in the plane.

    The places: the leading directions of the documents' TF-IDF (an SVD without centring, as many as there are
    themes), each document made length one, and the plane in which these vary most. The features stay the words.

    Parameters
    ----------
    ds : Dataset
        With label names.
    themes : sequence of str
        At least three label names.
    n : int
        Documents of a theme, at most.

    Raises
    ------
    ValueError
        If a theme is no label of the data set.
    """
    names = ds.label_names or []
    unknown = [theme for theme in themes if theme not in names]
    if unknown:
        raise ValueError(f"themes: found {unknown[0]!r}, wanted labels of {ds.name}")
    has = ds.Y_train[:, [names.index(theme) for theme in themes]].toarray() > 0
    rng = np.random.default_rng(random_state)
    of_theme = [np.flatnonzero((has.sum(axis=1) == 1) & has[:, k]) for k in range(len(themes))]
    rows = np.sort(np.concatenate([rng.permutation(found)[:n] for found in of_theme]))
    X, Y = ds.X_train[rows], ds.Y_train[rows]
    kept = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]))
    U, s, _ = svds(X.astype(np.float64), k=len(themes), v0=np.ones(min(X.shape)))
    Z = U * s
    Z /= np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    U, s, Vt = np.linalg.svd(Z - Z.mean(axis=0), full_matrices=False)
    upright = np.sign(Vt[:2][np.arange(2), np.abs(Vt[:2]).argmax(axis=1)])  # a direction's sign means nothing
    documents = [ds.ids_train[row] if ds.ids_train else f"document {row}" for row in rows]
    return Scene(X, csr_array(Y[:, kept]), U[:, :2] * s[:2] * upright, [names[label] for label in kept], documents)


class SplitSketch:
    """Runs and figures for ``step_figure``: ``step_figure(sketch.run, sketch.draw, seed="random_state", ...)``.

    Parameters
    ----------
    scenes : mapping of str to Scene
        The first is shown first.
    """

    def __init__(self, scenes: Mapping[str, Scene]) -> None:
        self.scenes = dict(scenes)
        self._present = next(iter(self.scenes))

    def run(self, scene: str | None = None, rare_first: bool = False, random_state: int = 1) -> list[SplitStep]:
        """All steps on a scene, the present one if none is named; ``rare_first``: labels are worth 1 / p_l."""
        name = scene or self._present
        shown = self.scenes[name]
        gains = 1 / propensities(shown.Y) if rare_first else None
        steps = split_steps(shown.X, shown.Y, gains=gains, random_state=random_state)
        self._present = name  # only now: after a run that fails the old steps are still shown
        return steps

    def draw(self, steps: Sequence[SplitStep], at: int) -> go.Figure:
        """The figure of one step."""
        scene, step = self.scenes[self._present], steps[at]
        old_plus, old_minus = _listed(scene, steps[at - 1] if at else step)
        return split_figure(
            scene.places,
            step.side,
            step.moved,
            _listed(scene, step),
            objective=[past.ndcg for past in steps[: at + 1]],
            phases=[
                past.phase if past.phase in ("start", "separator") else f"{past.round} {past.phase}" for past in steps
            ],
            documents=[f"{name}<br>{labels}" for name, labels in zip(scene.documents, _labels(scene), strict=True)],
            before=([name for name, _ in old_plus], [name for name, _ in old_minus]),
            line=step.separator if scene.flat else None,
            title=said(step),
        )


def _listed(scene: Scene, step: SplitStep) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The first labels of both rankings with the share of the side's documents that have them."""
    if step.rankings is None:
        return [], []
    both = []
    for delta, ranking in zip((1, -1), step.rankings, strict=True):
        inside = step.side == delta
        first = ranking[:_SHOWN]
        share = scene.Y[inside][:, first].sum(axis=0) / max(1, int(inside.sum()))
        both.append([(scene.label_names[label], float(s)) for label, s in zip(first, share, strict=True)])
    return both[0], both[1]


def _labels(scene: Scene) -> list[str]:
    Y = scene.Y
    return [
        ", ".join(scene.label_names[label] for label in Y.indices[a:b])
        for a, b in zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
    ]


def said(step: SplitStep) -> str:
    """What happened in a step, in a sentence."""
    moved = int(step.moved.sum())
    who = "nobody" if not moved else f"{moved} document{'' if moved == 1 else 's'}"
    text = {
        "start": "Start. A coin for each document",
        "ranking": f"Round {step.round}, ranking step. The best order of the labels for each side",
        "sign": f"Round {step.round}, sign step. To the side whose ranking suits it better: {who} changed",
        "separator": f"Separator. A hyperplane learns the sides; it sends {who} to the other one",
    }[step.phase]
    return f"<b>{text}</b>" + ("" if np.isnan(step.ndcg) else f"; mean nDCG {step.ndcg:.3f}")
