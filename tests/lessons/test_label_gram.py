from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset, load
from xmlwb.lessons.label_gram import COMPARED, GROUPS, LabelGram, label_gram
from xmlwb.solvers.label_affinity import affinity

NAMES = ["game::chess", "game::go", "mail::imap", "web::chess", "never"]
Y = csr_array(
    np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 1, 0]], dtype=np.float32)
)
GROUP = {"games": ("game::chess", "game::go", "web::chess", "never", "no such label")}


def unit_rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    V = np.random.default_rng(seed).normal(size=(n, d))
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def gram() -> LabelGram:
    return LabelGram(Y, {"none": unit_rows(5, 3), "GLaS": unit_rows(5, 3, 1)}, NAMES, GROUP)


def test_matrices_are_of_the_group_s_labels_that_occur() -> None:
    found = gram().figure("games", "GLaS")
    U, inner = found.data
    V = unit_rows(5, 3, 1)[[0, 1, 3]]
    assert np.array(U.z) == pytest.approx(affinity(Y).toarray()[np.ix_([0, 1, 3], [0, 1, 3])])
    assert np.array(inner.z) == pytest.approx(V @ V.T)
    assert list(U.y) == ["game::chess", "go", "web::chess"]  # in full where the tails are alike
    off = ~np.eye(3, dtype=bool)
    assert f"<b>{(V @ V.T)[off].mean():.2f}</b>" in found.layout.title.text


def test_distance_is_the_glas_loss_of_the_labels_that_occur_and_out_of_reach_its_floor() -> None:
    view = gram()
    U, V = affinity(Y).toarray()[:4, :4].astype(float), unit_rows(5, 3)[:4]
    assert view.distance("none") == pytest.approx(np.mean((V @ V.T - U) ** 2), rel=1e-5)
    lowest, floor = view.out_of_reach()
    values, vectors = np.linalg.eigh(U)
    assert lowest == pytest.approx(values[0], abs=1e-6)
    nearest = vectors * np.maximum(values, 0) @ vectors.T
    assert floor == pytest.approx(np.mean((nearest - U) ** 2), abs=1e-9)


def test_pairs_are_counted_once_each_and_means_lie_in_their_bars() -> None:
    table = gram().pairs()
    assert table.groupby("regulariser")["pairs"].sum().tolist() == [6, 6]
    V, U = unit_rows(5, 3), affinity(Y).toarray()
    strangers = [(i, j) for i in range(4) for j in range(i) if U[i, j] == 0]
    first = table[(table["regulariser"] == "none") & (table["affinity"] == 0)].iloc[0]
    assert first["inner product"] == pytest.approx(np.mean([V[i] @ V[j] for i, j in strangers]))
    assert (table["low"] <= table["inner product"]).all()
    figure = gram().pull()
    looks = {(t.line.color, t.line.dash, t.marker.symbol) for t in figure.data[1:]}
    assert len(looks) == 2


def test_menus_show_every_group_and_regulariser() -> None:
    view = gram().sliders()
    view.controls["regularizer"].value = "GLaS"
    assert view.figure.layout.title.text.startswith("GLaS: ")


def test_training_pulls_labels_towards_their_affinities(small_dataset: Dataset) -> None:
    Y_small = small_dataset.Y_train.toarray()
    Y_small[:, 5] = np.maximum(Y_small[:, 5], Y_small[:, 0])  # label 5 comes with every 0
    import dataclasses

    ds = dataclasses.replace(small_dataset, Y_train=csr_array(Y_small))
    view = label_gram(
        ds, {"spread-out": "spread-out", "GLaS": "glas"}, groups={"two": ("label 0", "label 5")},
        n_components=16, n_epochs=15, batch_size=32, regularization=300.0, keep_probability=1.0, device="cpu",
    )  # fmt: skip
    assert view.distance("GLaS") < view.distance("spread-out")
    pair = {name: view.gram(name, [0, 5])[0, 1] for name in view.embeddings}
    assert pair["GLaS"] > pair["spread-out"] + 0.1


def test_the_chapter_s_labels_are_labels_of_debtags() -> None:
    ds = load("debtags")
    assert set(ds.label_names) >= {label for labels in GROUPS.values() for label in labels}
    assert "GLaS" in COMPARED
