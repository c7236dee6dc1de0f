"""Chapter 05: how a node's labels are parted, step by step, on labels that lie in a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_parts import label_counts
from xmlwb.plots.label_partition import partition_figure
from xmlwb.solvers.label_clustering import MAX_TURNS, MIN_GAIN, label_centroids
from xmlwb.solvers.xorshift import advance, below

Phase = Literal["start", "assign", "balance", "move"]


@dataclass(frozen=True)
class PartitionStep:
    """The state after one step of spherical k-means.

    Attributes
    ----------
    round : int
        From 1; 0 for the start.
    phase : str
        "start", "assign" (each label to the direction with the larger cosine), "balance" (as many on each side, cut at
        the median) or "move" (each direction to the mean of its labels, made length one).
    directions : ndarray, shape (K, D)
        Of length one.
    side : ndarray of int, shape (n,)
        The direction that each label belongs to, -1 at the start.
    moved : ndarray of bool, shape (n,)
        Labels that changed sides in this step.
    cut : float
        The difference of the two cosines at which the sides part; 0 unless balanced.
    objective : float
        Mean cosine of a label and its direction; NaN at the start.
    """

    round: int
    phase: Phase
    directions: NDArray[np.float64]
    side: NDArray[np.int64]
    moved: NDArray[np.bool_]
    cut: float
    objective: float


def partition_steps(
    V: NDArray[np.floating],
    n_clusters: int = 2,
    *,
    balanced: bool = True,
    start: Sequence[int] | None = None,
    random_state: int = 0,
    max_rounds: int = MAX_TURNS,
) -> list[PartitionStep]:
    """All steps of (balanced) spherical k-means, ending in the partition of `xmlwb.solvers.label_clustering`.

    The objective is the sum of the cosines of labels and their directions. No step lowers it but "balance", which is
    the price of equal halves; from one balanced state to the next it never falls.

    Parameters
    ----------
    V : ndarray, shape (n, D)
        Label vectors; made length one here.
    n_clusters : int
        K; 2 if balanced.
    balanced : bool
        Whether both sides get the same number of labels (give or take one), as in Parabel; else as in Bonsai.
    start : sequence of K int, optional
        The labels whose vectors are the first directions; `first_labels` if not given.
    random_state : int
    max_rounds : int

    Raises
    ------
    ValueError
        If balanced and K is not 2, or there are fewer labels than directions.
    """
    n = len(V)
    if balanced and n_clusters != 2:
        raise ValueError(f"n_clusters is {n_clusters}; wanted 2 where the sides are balanced")
    if not 1 <= n_clusters <= n:
        raise ValueError(f"n_clusters is {n_clusters}; wanted 1 to the number of labels, {n}")
    V = _unit(np.asarray(V, dtype=np.float64))
    if start is None:
        start = first_labels(V, n_clusters, balanced=balanced, random_state=random_state)
    directions = V[list(start)]
    steps = [PartitionStep(0, "start", directions, np.full(n, -1), np.zeros(n, dtype=bool), 0.0, np.nan)]
    settled = steps[0].side
    for round_ in range(1, max_rounds + 1):
        cosines = V @ directions.T
        side, cut = np.argmax(cosines, axis=1), 0.0
        steps.append(_step(round_, "assign", V, directions, side, settled, cut))
        if balanced:
            nearest = side
            side, cut = _halves(cosines[:, 0] - cosines[:, 1])
            steps.append(_step(round_, "balance", V, directions, side, nearest, cut))
        elif _gain(steps, "assign") < MIN_GAIN:
            break
        settled, directions = side, _means(V, side, n_clusters)
        steps.append(_step(round_, "move", V, directions, side, side, cut))
        if balanced and _gain(steps, "move") < MIN_GAIN:
            break
    return steps


def _gain(steps: Sequence[PartitionStep], phase: Phase) -> float:
    """What the last round brought, measured after the same step of each."""
    objectives = [step.objective for step in steps if step.phase == phase]
    return objectives[-1] - objectives[-2] if len(objectives) > 1 else np.inf


def first_labels(
    V: NDArray[np.floating], n_clusters: int = 2, *, balanced: bool = True, random_state: int = 0
) -> list[int]:
    """The labels from whose vectors the library's clustering starts with this seed.

    For equal halves one that is drawn, and the one least like it; otherwise K that are drawn. V, (n, D), has unit rows.
    """
    n = len(V)
    if not balanced:
        return np.random.default_rng(random_state).choice(n, n_clusters, replace=False).tolist()
    mask = 2**64 - 1
    one = int(below(n, np.uint64(advance(np.uint64((random_state * 2685821657736338717 + 88172645463325252) & mask)))))
    return [one, int(np.argsort(-(V @ V[one]), kind="stable")[-1])]


def _halves(gap: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """The labels with the largest gap on side 0, as many as on side 1 or one more; and where the sides part."""
    n, first = len(gap), (len(gap) + 1) // 2
    order = np.argsort(-gap, kind="stable")
    side = np.ones(n, dtype=np.int64)
    side[order[:first]] = 0
    cut = float(gap[order[first - 1 : first + 1]].mean()) if n > 1 else 0.0
    return side, cut


def _means(V: NDArray[np.float64], side: NDArray[np.int64], n_clusters: int) -> NDArray[np.float64]:
    sums = np.zeros((n_clusters, V.shape[1]))
    np.add.at(sums, side, V)
    return _unit(sums)  # an empty side has no direction from then on: zeros


def _step(
    round_: int,
    phase: Phase,
    V: NDArray[np.float64],
    directions: NDArray[np.float64],
    side: NDArray[np.int64],
    before: NDArray[np.int64],
    cut: float,
) -> PartitionStep:
    objective = float(np.einsum("ij,ij->", V, directions[side]) / len(V))
    return PartitionStep(round_, phase, directions, side, (side != before) & (before >= 0), cut, objective)


def _unit(V: NDArray[np.float64]) -> NDArray[np.float64]:
    return V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)


def grouped_directions(
    sizes: Sequence[int], degrees: Sequence[float], spread: float = 18.0, random_state: int = 0
) -> NDArray[np.float64]:
    """Unit vectors in the plane, in groups: so many around each angle, with that standard deviation in degrees."""
    rng = np.random.default_rng(random_state)
    angles = np.concatenate([rng.normal(a, spread, n) for n, a in zip(sizes, degrees, strict=True)])
    return np.column_stack([np.cos(np.radians(angles)), np.sin(np.radians(angles))])


def labels_in_the_plane(ds: Dataset, n: int = 80) -> tuple[NDArray[np.float64], list[str]]:
    """The n most frequent labels' centroids, projected on the plane in which they differ most, made length one.

    Returns
    -------
    V : ndarray, shape (n, 2)
    names : list of str
        Most of what tells labels apart lies outside of any plane: a sketch, not the tree's own split.
    """
    frequent = np.argsort(-label_counts(ds.Y_train), kind="stable")[:n]
    C = label_centroids(ds.X_train, ds.Y_train[:, frequent])
    gram = (C @ C.T).toarray()  # n x n: the plane needs no d x n array
    centre = np.eye(len(frequent)) - 1 / len(frequent)
    values, vectors = np.linalg.eigh(centre @ gram @ centre)
    places = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0))
    names = ds.label_names or [str(label) for label in range(ds.n_labels)]
    return _unit(places), [names[label] for label in frequent]


class SketchedSteps(list[PartitionStep]):
    """All steps on one scene, and which one."""

    def __init__(self, steps: Sequence[PartitionStep], scene: str) -> None:
        super().__init__(steps)
        self.scene = scene


class PartitionSketch:
    """Runs and figures for ``step_figure``: ``step_figure(sketch.run, sketch.draw, seed="random_state", ...)``.

    Parameters
    ----------
    scenes : mapping of str to (V, names), optional
        Further label sets beside the drawn ones, from `labels_in_the_plane`.
    """

    def __init__(self, scenes: dict[str, tuple[NDArray[np.float64], list[str]]] | None = None) -> None:
        drawn = {
            "two groups of 40": grouped_directions((40, 40), (30, 150)),
            "a group of 64 and one of 16": grouped_directions((64, 16), (30, 150)),
            "three groups of 27": grouped_directions((27, 27, 27), (0, 120, 240)),
            "no groups": grouped_directions((80,), (0,), spread=104.0),
        }
        self.scenes = {
            **{name: (V, [f"label {i}" for i in range(len(V))]) for name, V in drawn.items()},
            **(scenes or {}),
        }

    def run(
        self, scene: str = "two groups of 40", n_clusters: int = 2, balanced: bool = True, random_state: int = 0
    ) -> SketchedSteps:
        """All steps on a scene; with more than two directions the sides cannot be balanced, and are not."""
        balanced = balanced and n_clusters == 2
        V, _ = self.scenes[scene]
        return SketchedSteps(partition_steps(V, n_clusters, balanced=balanced, random_state=random_state), scene)

    def draw(self, steps: SketchedSteps, at: int) -> go.Figure:
        """The figure of one step of `run`."""
        V, names = self.scenes[steps.scene]
        step = steps[at]
        return partition_figure(
            V,
            step.directions,
            step.side,
            step.moved,
            names=names,
            cut=step.cut,
            objective=[each.objective for each in steps],
            phases=[(each.round, each.phase) for each in steps],
            at=at,
            title=_said(step, balanced=any(each.phase == "balance" for each in steps), last=at == len(steps) - 1),
        )


def _said(step: PartitionStep, *, balanced: bool, last: bool) -> str:
    moved = int(step.moved.sum())
    who = {0: "nobody changes sides", 1: "1 label changes sides"}.get(moved, f"{moved} labels change sides")
    text = {
        "start": "Start: a label drawn at random, and the one least like it, are the first directions"
        if balanced
        else "Start: labels drawn at random are the first directions",
        "assign": f"Assign each label to the direction with the larger cosine: {who}",
        "balance": f"Balance: cut at the median of the difference, half on each side: {who}",
        "move": "Move each direction to the mean of its labels",
    }[step.phase]
    sizes = np.bincount(step.side[step.side >= 0], minlength=len(step.directions))
    tail = "" if step.phase == "start" else f"; sides of {', '.join(map(str, sizes))}"
    return (
        ("" if step.phase == "start" else f"<b>Round {step.round}.</b> ")
        + f"<b>{text}</b>{tail}"
        + (". <b>Done.</b>" if last else "")
    )
