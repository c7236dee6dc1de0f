from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.shared_space import THEMES, Plane, shared_space, themed_documents
from xmlwb.models.callbacks import STOP, Event

PATIENCE = 60
TWO = ("label 0", "label 1")


@pytest.fixture(scope="module")
def ds(small_dataset: Dataset) -> Dataset:
    """The small set, half of its test rows as validation rows; label 5 comes with every label 0, and 6 with every 1."""
    Y = small_dataset.Y_train.toarray()
    Y[:, 5:7] = np.maximum(Y[:, 5:7], Y[:, :2])
    valid, test = slice(0, 40), slice(40, 80)
    return dataclasses.replace(
        small_dataset, Y_train=csr_array(Y), X_valid=small_dataset.X_test[valid], Y_valid=small_dataset.Y_test[valid],
        X_test=small_dataset.X_test[test], Y_test=small_dataset.Y_test[test],
    )  # fmt: skip


def test_documents_of_one_theme_each_and_labels_that_they_carry(ds: Dataset) -> None:
    Y = ds.Y_train.toarray()
    Y[:3, :2] = 1  # both themes: left out
    chosen = themed_documents(dataclasses.replace(ds, Y_train=csr_array(Y)), TWO, most=20, fewest=3)
    places = [chosen.label_names.index(name) for name in TWO]
    carried = chosen.Y.toarray()[:, places]
    assert carried.sum(axis=1).tolist() == [1] * len(carried)
    assert carried.argmax(axis=1).tolist() == chosen.theme.tolist()
    assert np.bincount(chosen.theme).tolist() == [20, 20]
    assert (chosen.Y.sum(axis=0) >= 3).all()
    assert chosen.X.shape[1] == chosen.X_valid.shape[1]
    assert (np.bincount(chosen.X.indices, minlength=chosen.X.shape[1]) >= 2).all()
    with pytest.raises(ValueError, match="there is no label 'x'"):
        themed_documents(ds, ("label 0", "x"))


def test_the_plane_is_that_of_the_leading_directions_of_frequent_labels() -> None:
    V = np.array([[1.0, 0, 0], [-2, 0, 0], [0, 1, 0], [0, 0, 5]])
    plane = Plane(V, np.array([50, 50, 10, 0]))
    assert plane.share == pytest.approx(1)  # the fourth label has no document: its direction does not count
    unit = V / np.linalg.norm(V, axis=1, keepdims=True)
    assert np.abs(plane.labels[0] - plane.labels[1]).max() == pytest.approx(2)
    assert plane(unit) == pytest.approx(plane.labels)
    assert (plane.window[0] < plane.labels.min(axis=0)).all()


def test_documents_move_towards_their_labels_and_every_epoch_can_be_seen_again(ds: Dataset) -> None:
    view = shared_space(ds, TWO, most=40, n_epochs=80)
    model = view.result(PATIENCE)
    assert view.state == "finished"
    assert len(view.snapshots) == view.epoch.max == view.epoch.value == 80
    near = [snapshot[2] for snapshot in view.snapshots]
    assert near[-1] > near[0] + 0.1
    documents = view._documents
    f_x, f_y = model.embed(documents.X), model.embed_labels(documents.Y)
    assert near[-1] == pytest.approx(np.mean(np.sum(f_x * f_y, axis=1)), abs=1e-5)
    assert view.snapshots[-1][0] == pytest.approx(view.plane(f_x), abs=1e-5)
    assert title(view) == "<b>epoch 80 of 80</b>"
    view.epoch.value = 3
    assert title(view) == "<b>epoch 3 of 80</b>"
    shown = json.loads(view.view.figure)
    assert f"training {near[2]:.2f}" in shown["layout"]["title"]["subtitle"]["text"]
    assert {"loss", "validation P@1"} <= {trace.get("name") for trace in shown["data"]}


def test_a_stopped_run_keeps_its_model_and_a_new_start_forgets_the_old_one(ds: Dataset) -> None:
    view = shared_space(ds, TWO, most=40, n_epochs=50)

    def stop_at_four(event: Event) -> Any:
        return STOP if event.step == 4 else None

    view.callback = stop_at_four
    model = view.result(PATIENCE)
    assert view.state == "stopped"
    assert len(view.snapshots) == 4
    assert model.predict_topk(view._documents.X, k=1).nnz == view._documents.X.shape[0]
    view.start().wait(PATIENCE)
    assert len(view.snapshots) == 4
    assert title(view) == "<b>epoch 4 of 50</b>"


def test_the_themes_of_the_chapter_are_labels_of_debtags() -> None:
    from xmlwb.datasets import load

    chosen = themed_documents(load("debtags"), most=30)
    assert np.bincount(chosen.theme).tolist() == [30] * len(THEMES)
    assert set(THEMES) <= set(chosen.label_names)


def title(view) -> str:
    return json.loads(view.view.figure)["layout"]["title"]["text"]
