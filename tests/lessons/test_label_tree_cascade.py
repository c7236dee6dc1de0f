from __future__ import annotations

import numpy as np
import pytest
from planted_label_tree import PlantedModel, documents, uneven_tree
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_cascade import (
    beam_study,
    lost_at,
    path_log_probabilities,
    ranking,
    searched,
    step_log_probabilities,
    survival_table,
)
from xmlwb.metrics import precision_at_k, top_k_hits
from xmlwb.models import Bonsai, Parabel


@pytest.fixture
def planted() -> tuple[PlantedModel, csr_array, csr_array]:
    return PlantedModel(), *documents()


def dense_path(model, X: csr_array) -> np.ndarray:
    return path_log_probabilities(model.label_tree(), step_log_probabilities(model, X))


def test_steps_and_paths_are_those_of_the_definition(planted) -> None:
    model, X, _ = planted
    step, path = step_log_probabilities(model, X), dense_path(model, X)
    assert not step[:, 0].any()
    for i, x in enumerate(X.toarray()):
        for v in range(1, model.tree.n_nodes):
            assert step[i, v] == pytest.approx(model.step(x, v), abs=1e-5)
            above, total = v, 0.0
            while above:
                total += model.step(x, above)
                above = int(model.tree.parent[above])
            assert path[i, v] == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 3, 100])
def test_the_search_is_the_one_written_with_loops(planted, beam: int) -> None:
    model, X, _ = planted
    path = dense_path(model, X)
    kept = searched(model.tree, path, beam)
    S = ranking(model.tree, path, kept, 9, 3)
    for i, x in enumerate(X.toarray()):
        nodes, reached = model.walk(x, beam)
        assert set(np.flatnonzero(kept[i]).tolist()) == nodes
        best = sorted(reached.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
        row = dict(zip(S[[i]].indices.tolist(), S[[i]].data.tolist(), strict=True))
        assert row == pytest.approx(dict(best), abs=1e-5)


def test_a_beam_that_holds_each_level_keeps_every_node(planted) -> None:
    model, X, _ = planted
    assert searched(model.tree, dense_path(model, X), 3).all()
    assert not searched(model.tree, dense_path(model, X), 1).all()


def test_equal_scores_go_to_the_node_with_the_lower_number() -> None:
    tree = uneven_tree()
    kept = searched(tree, np.zeros((1, tree.n_nodes)), 1)[0]
    assert np.flatnonzero(kept).tolist() == [0, 1, 3, 4, 5, 6, 9, 10]


def test_equal_scores_rank_by_the_lower_label() -> None:
    tree = uneven_tree()
    path = np.zeros((1, tree.n_nodes))
    assert ranking(tree, path, np.ones_like(path, dtype=bool), 9, 2).indices.tolist() == [0, 1]
    assert ranking(tree, path, np.ones_like(path, dtype=bool), 9, 99).nnz == 8


def test_lost_at_names_the_dropped_node_nearest_to_the_root() -> None:
    tree = uneven_tree()
    kept = np.ones((2, tree.n_nodes), dtype=bool)
    kept[0, [1, 4, 5, 6, 9, 10]] = False  # the whole branch of node 1
    kept[1, [7, 11, 12]] = False
    Y = csr_array(np.array([[1, 0, 1, 0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 0, 1]], dtype=np.float32))
    assert lost_at(tree, kept, Y).tolist() == [1, -1, -2, 2, -1, -1]


def test_survival_by_counting_with_loops(planted) -> None:
    model, X, Y = planted
    Y_train = csr_array(np.ones((4, 9), dtype=np.float32) * (np.arange(9) != 4))  # label 4: never seen in training
    table = survival_table(model, X, Y, Y_train, beams=(1, 2), k=2)
    assert set(table["bin"]) == {"all labels", "head"}  # labels of one frequency share a bin
    for beam, width in (("1", 1), ("2", 2), ("all", 100)):
        alive, total = np.zeros(5), 0
        for i, x in enumerate(X.toarray()):
            nodes, reached = model.walk(x, width)
            first = sorted(reached, key=lambda label: (-reached[label], label))[:2]
            for label in Y[[i]].indices.tolist():
                if label == 4:
                    continue
                total += 1
                path = model.tree.path(label)
                for level in range(4):
                    alive[level] += all(v in nodes for v in path if model.tree.depth[v] <= level)
                alive[4] += label in first
        found = table[(table["beam"] == beam) & (table["bin"] == "all labels")]
        assert found["labels"].tolist() == [total] * len(found)
        deepest = int(model.tree.depth[model.tree.label < 0].max())
        assert found["level"].tolist() == list(range(deepest + 2))
        assert found["alive"].to_numpy() == pytest.approx([*alive[: deepest + 1] / total, alive[4] / total])
    assert table.loc[table["level"] == 0, "alive"].eq(1).all()


def test_beam_study_against_prediction_at_each_width(planted) -> None:
    model, X, Y = planted
    study = beam_study(model, X, Y, beams=(1, 2), k=3, repeats=1)
    assert model.beam == 10
    assert study["beam"].tolist() == ["1", "2", "all"]
    assert (study["ms"] > 0).all()
    for beam, row in zip((1, 2, 100), study.to_dict("records"), strict=True):
        shares, P = [], []
        for i, x in enumerate(X.toarray()):
            exact, found = (
                sorted(reached, key=lambda label: (-reached[label], label))[:3]
                for reached in (model.walk(x, 100)[1], model.walk(x, beam)[1])
            )
            shares.append(len(set(exact) & set(found)) / 3)
            P.append(len(set(found) & set(Y[[i]].indices.tolist())) / 3)
        assert row["recall"] == pytest.approx(np.mean(shares))
        assert row["P@3"] == pytest.approx(np.mean(P))
    assert study["recall"].iloc[-1] == 1
    assert study["P@1"].iloc[-1] == pytest.approx(precision_at_k(Y, model.predict_topk(X, 3), 3)[0])


@pytest.mark.parametrize("model", [Parabel(n_trees=1, max_leaf=2), Bonsai(n_trees=1, n_clusters=3, depth=3)])
@pytest.mark.parametrize("beam", [1, 2, 100])
def test_the_studies_agree_with_the_library(model, beam: int, small_dataset: Dataset) -> None:
    ds = small_dataset
    model.set_params(beam=beam).fit(ds.X_train, ds.Y_train)
    tree = model.label_tree()
    path = dense_path(model, ds.X_test)
    S = ranking(tree, path, searched(tree, path, beam), ds.n_labels, 3)
    theirs = model.predict_topk(ds.X_test, k=3)
    assert top_k_hits(ds.Y_test, S, 3)[0].tolist() == top_k_hits(ds.Y_test, theirs, 3)[0].tolist()


def test_the_beam_is_put_back_also_when_prediction_fails(planted) -> None:
    model, X, Y = planted
    with pytest.raises(ValueError, match="k: found 99"):
        beam_study(model, X, Y, beams=(1,), k=99)
    assert model.beam == 10
