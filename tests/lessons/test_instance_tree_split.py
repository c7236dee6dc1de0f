"""The steps of FastXML's split, against every ranking and every assignment; what its sketch shows."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.instance_tree_split import (
    SplitSketch,
    documents_scene,
    made_scene,
    split_steps,
)
from xmlwb.metrics import propensities


def some_labels(seed: int, n: int = 12, L: int = 5) -> csr_array:
    rng = np.random.default_rng(seed)
    Y = rng.random((n, L)) < rng.uniform(0.1, 0.7, L)
    Y[0] = False  # an instance without labels
    return csr_array(Y.astype(np.float32))


def ndcg_by_definition(y: np.ndarray, ranking: tuple[int, ...]) -> float:
    if not y.any():
        return 0.0
    gained = sum(1 / np.log2(place + 2) for place, label in enumerate(ranking) if y[label])
    return gained / sum(1 / np.log2(place + 2) for place in range(int(y.sum())))


@pytest.mark.parametrize("seed", range(6))
def test_each_step_is_the_best_of_its_kind_and_the_objective_never_falls(seed: int) -> None:
    Y = some_labels(seed)
    X = csr_array(np.random.default_rng(seed).normal(size=Y.shape))
    steps = split_steps(X, Y, random_state=seed)
    dense = Y.toarray()
    for before, now in itertools.pairwise(steps):
        assert now.rankings is not None
        ours = {1: tuple(now.rankings[0]), -1: tuple(now.rankings[1])}
        gains = [ndcg_by_definition(y, ours[d]) for y, d in zip(dense, now.side, strict=True)]
        assert now.ndcg == pytest.approx(np.mean(gains))
        assert np.array_equal(now.moved, now.side != before.side)
        if now.phase == "ranking":
            for delta in (1, -1):
                rows = dense[now.side == delta]
                totals = [sum(ndcg_by_definition(y, r) for y in rows) for r in itertools.permutations(range(5))]
                assert sum(ndcg_by_definition(y, ours[delta]) for y in rows) == pytest.approx(max(totals))
        if now.phase == "sign":
            best = [max(ndcg_by_definition(y, r) for r in ours.values()) for y in dense]
            assert now.ndcg == pytest.approx(np.mean(best))
        if now.phase in ("ranking", "sign") and not np.isnan(before.ndcg):
            assert now.ndcg >= before.ndcg - 1e-6
    last = steps[-1]
    assert last.phase == "separator"
    assert last.separator is not None
    w, b = last.separator
    assert np.array_equal(last.side > 0, X @ w + b >= 0)


def test_rounds_count_the_ranking_steps() -> None:
    scene = made_scene(n=20)
    steps = split_steps(scene.X, scene.Y, random_state=2)
    phases = [step.phase for step in steps]
    assert phases == ["start", *["ranking", "sign"] * (steps[-1].round), "separator"]
    assert [step.round for step in steps if step.phase == "sign"] == list(range(1, steps[-1].round + 1))
    assert not steps[-2].moved.any()  # that is why it ended


def test_the_made_scene_is_split_between_its_groups() -> None:
    scene = made_scene()
    steps = split_steps(scene.X, scene.Y, random_state=2)
    group = np.repeat(np.arange(4), len(scene.places) // 4)
    on_plus = np.array([(steps[-1].side[group == g] > 0).mean() for g in range(4)])
    assert np.all((on_plus < 0.15) | (on_plus > 0.85))
    assert 0 < (on_plus > 0.5).sum() < 4


def test_a_scene_of_documents_takes_those_with_one_theme_alone(small_dataset: Dataset) -> None:
    names = [f"label {label}" for label in range(small_dataset.n_labels)]
    ds = dataclasses.replace(small_dataset, label_names=names)
    themes = [names[label] for label in np.argsort(-ds.Y_train.sum(axis=0), kind="stable")[:3]]
    scene = documents_scene(ds, themes, n=15)
    columns = [scene.label_names.index(theme) for theme in themes]
    has = scene.Y[:, columns].toarray()
    assert (has.sum(axis=1) == 1).all()
    assert has.sum(axis=0).max() <= 15
    assert scene.X.shape == (len(scene.places), ds.n_features)
    assert (scene.Y.sum(axis=0) > 0).all()
    with pytest.raises(ValueError, match="found 'nothing'"):
        documents_scene(ds, ["nothing"])


def test_the_figure_shows_sides_movers_lists_and_objective() -> None:
    scene = made_scene(n=20)
    sketch = SplitSketch({"made": scene})
    steps = sketch.run(random_state=1)
    at = 4  # the second sign step
    assert steps[at].phase == "sign"
    figure = sketch.draw(steps, at)
    plus, minus, ringed = figure.data[:3]
    drawn = {tuple(point) for point in zip(plus.x, plus.y, strict=True)}
    assert drawn == {tuple(point) for point in scene.places[steps[at].side > 0]}
    assert len(minus.x) == (steps[at].side < 0).sum()
    moved = scene.places[steps[at].moved]
    assert len(moved)
    assert np.array_equal(np.column_stack([ringed.x, ringed.y]), moved)
    assert f": {len(moved)}" in ringed.name
    texts = " | ".join(a.text for a in figure.layout.annotations)
    for delta, ranking in zip((1, -1), steps[at].rankings or (), strict=True):
        inside = scene.Y.toarray()[steps[at].side == delta]
        first = int(ranking[0])
        assert f"1. {scene.label_names[first]} {inside[:, first].mean():.0%}" in texts
    assert list(figure.data[-1].y) == [step.ndcg for step in steps[1 : at + 1]]
    assert figure.layout.xaxis2.range[1] == len(steps) - 0.5


def test_the_line_of_the_separator_is_drawn_where_the_features_are_the_plane() -> None:
    scene = made_scene(n=20)
    sketch = SplitSketch({"made": scene})
    steps = sketch.run(random_state=1)
    line = next(trace for trace in sketch.draw(steps, len(steps) - 1).data if trace.name == "separator")
    w, b = steps[-1].separator or (np.zeros(2), 0.0)
    assert len(line.x) == 2
    assert np.column_stack([line.x, line.y]) @ w + b == pytest.approx(0, abs=1e-9)
    assert not [t for t in sketch.draw(steps, 1).data if t.name == "separator"]


def test_rare_first_weighs_labels_by_inverse_propensity() -> None:
    scene = made_scene(n=20)
    ours = SplitSketch({"made": scene}).run(rare_first=True, random_state=4)
    theirs = split_steps(scene.X, scene.Y, gains=1 / propensities(scene.Y), random_state=4)
    assert [step.ndcg for step in ours[1:]] == [step.ndcg for step in theirs[1:]]
    plain = SplitSketch({"made": scene}).run(random_state=4)
    assert plain[1].ndcg != ours[1].ndcg
