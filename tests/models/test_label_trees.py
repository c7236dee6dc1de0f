"""Parabel and Bonsai: planted trees, one-vs-all as the limit, stopping, and what a file may hold."""

from __future__ import annotations

import time
import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, Bonsai, Event, ModelFileError, OneVsAll, Parabel, Popular, label_trees
from xmlwb.ranking import beam_recall_at_k
from xmlwb.solvers.node_classifiers import learn_node

FRONT_DOORS = [Parabel(max_leaf=8, random_state=3), Bonsai(n_clusters=4, max_leaf=8, random_state=3)]
ids = [type(model).__name__ for model in FRONT_DOORS]


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(800, 60, n_features=300, labels_per_instance=2, noise=0.05, random_state=1)


def groups_of_labels(n_groups: int, size: int, seed: int):
    """Instances whose features tell the branch of a binary tree over groups and, faintly, the (shuffled) label."""
    rng = np.random.default_rng(seed)
    n_labels = n_groups * size
    name = rng.permutation(n_labels)
    label = np.repeat(np.arange(n_labels), 8)
    X = sparse.lil_array((len(label), 2 * n_groups + n_labels), dtype=np.float32)
    branch = label // size + n_groups  # numbers as in a heap: the parent of b is b // 2
    while branch[0] > 1:
        X[np.arange(len(label)), branch] = 1
        branch = branch // 2
    X[np.arange(len(label)), 2 * n_groups + label] = 0.5
    Y = sparse.csr_array((np.ones(len(label)), (np.arange(len(label)), name[label])), shape=(len(label), n_labels))
    return sparse.csr_array(X), Y, [set(name[group * size : (group + 1) * size]) for group in range(n_groups)]


def same(A: sparse.csr_array, B: sparse.csr_array) -> bool:
    return all(np.array_equal(getattr(A, part), getattr(B, part)) for part in ("indptr", "indices", "data"))


@pytest.mark.parametrize("n_groups", [2, 4, 8])
def test_parabel_recovers_planted_groups_as_leaves(n_groups: int) -> None:
    X, Y, groups = groups_of_labels(n_groups, 6, seed=n_groups)
    model = Parabel(n_trees=3, max_leaf=6, random_state=0).fit(X, Y)
    recovered = 0
    for tree in (model.label_tree(t) for t in range(3)):
        above_labels = {int(tree.parent[leaf]) for leaf in np.flatnonzero(tree.label >= 0)}
        assert set(tree.depth[list(above_labels)]) == {np.log2(n_groups)}, "all leaves are equally deep"
        recovered += all(set(tree.labels_under(node).tolist()) in groups for node in above_labels)
    assert recovered >= 2, "2-means may end in a local optimum, but rarely"
    assert precision_at_k(Y, model.predict_topk(X), k=1)[0] == 1


@pytest.mark.parametrize("representation", ["input", "joint"])
def test_bonsai_recovers_planted_groups_of_any_size(representation: str) -> None:
    X, Y, groups = groups_of_labels(3, 10, seed=5)
    keep = np.flatnonzero(~np.isin(Y.indices, list(groups[0])[:7]))  # a small group of three
    X, Y = X[keep], Y[keep]
    small = groups[0] - set(list(groups[0])[:7])
    best = 0
    for seed in range(5):
        model = Bonsai(n_trees=1, n_clusters=3, max_leaf=5, depth=2, representation=representation, random_state=seed)
        tree = model.fit(X, Y).label_tree()
        found = [set(tree.labels_under(child).tolist()) for child in tree.children(0)]
        best = max(best, sum(group in found for group in (small, *groups[1:])))
    assert best == 3


def test_output_representation_brings_together_what_occurs_together() -> None:
    rng = np.random.default_rng(0)
    pairs = np.repeat(np.arange(6), 20)
    Y = sparse.lil_array((120, 12), dtype=np.float32)
    Y[np.arange(120), 2 * pairs] = 1
    Y[np.arange(120), 2 * pairs + 1] = 1
    X = sparse.csr_array(rng.random((120, 5)).astype(np.float32))  # says nothing
    together = 0
    for seed in range(5):
        tree = Bonsai(n_trees=1, n_clusters=3, max_leaf=2, depth=2, representation="output", random_state=seed)
        tree = tree.fit(X, Y.tocsr()).label_tree()
        parents = {label: tree.path(label)[1] for label in range(12)}
        together += sum(parents[2 * pair] == parents[2 * pair + 1] for pair in range(6))
    assert together == 30


def test_a_single_leaf_is_one_vs_all() -> None:
    data = make_synthetic(500, 40, n_features=200, labels_per_instance=2, noise=0.05, random_state=2)
    settings = {"tol": 1e-3, "max_iter": 3000, "threshold": 0.0}
    has_labels = np.flatnonzero(np.diff(data.Y_train.indptr))
    X, Y = data.X_train[has_labels], data.Y_train[has_labels]
    parabel = Parabel(n_trees=1, max_leaf=40, **settings).fit(X, Y)
    one_vs_all = OneVsAll(**settings).fit(X, Y)
    W, bias = parabel.classifiers(0)
    labels = parabel.label_tree().label[1:]
    np.testing.assert_allclose(W.toarray(), one_vs_all.coef_[:, labels].toarray(), atol=2e-2)
    np.testing.assert_allclose(bias, one_vs_all.intercept_[labels], atol=2e-2)


@pytest.mark.parametrize("model", FRONT_DOORS, ids=ids)
class TestBoth:
    def test_wider_beams_come_nearer_to_exhaustive_search(self, model, planted) -> None:
        model = model.__sklearn_clone__().fit(planted.X_train, planted.Y_train)
        exhaustive = model.set_params(beam=10**6).predict_topk(planted.X_test)
        agreement = []
        for beam in (1, 3, 10):
            S = model.set_params(beam=beam).predict_topk(planted.X_test)
            agreement.append(beam_recall_at_k(S, exhaustive, k=5)[4])
        assert agreement[0] < agreement[1] <= agreement[2] <= 1
        assert agreement[2] > 0.95

    def test_scores_are_the_mean_of_the_products_along_the_paths(self, model, planted) -> None:
        model = model.__sklearn_clone__().set_params(beam=10**6).fit(planted.X_train, planted.Y_train)
        x = planted.X_test[[0]]
        S = model.predict_topk(x, k=10)
        for label, score in zip(S.indices, S.data, strict=True):
            probabilities = []
            for number in range(3):
                tree = model.label_tree(number)
                log_probability = 0.0
                path = tree.path(int(label))
                for node, child in pairwise(path):
                    W, bias = model.classifiers(node, number)
                    margin = (x @ W).toarray().ravel() + bias
                    log_probability -= max(0.0, 1 - margin[child - tree.children(node)[0]]) ** 2
                probabilities.append(np.exp(log_probability))
            assert np.exp(score) == pytest.approx(np.mean(probabilities), rel=1e-3)

    def test_stop_after_a_tree_leaves_the_model_of_fewer_trees(self, model, planted) -> None:
        events: list[Event] = []
        model.__sklearn_clone__().fit(planted.X_train, planted.Y_train, callback=events.append)
        one = model.__sklearn_clone__().set_params(n_trees=1)
        levels: list[Event] = []
        one.fit(planted.X_train, planted.Y_train, callback=levels.append)
        for steps in (len(levels), len(levels) + 1):  # at the end of the first tree, and within the second
            for n_jobs in (1, 2):
                stopped = model.__sklearn_clone__().set_params(n_jobs=n_jobs)
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # joblib's, of results that nobody took
                    stopped.fit(
                        planted.X_train,
                        planted.Y_train,
                        callback=lambda event, s=steps: STOP if event.step == s else None,
                    )
                for part in ("tree_ptr_", "child_", "bias_", "features_", "entry_child_", "entry_weight_"):
                    np.testing.assert_array_equal(getattr(stopped, part), getattr(one, part))
        assert len(events) > len(levels)

    def test_stop_within_the_first_tree_ranks_by_share_below(self, model, planted) -> None:
        stopped = model.__sklearn_clone__().set_params(n_trees=1, beam=10**6)
        stopped.fit(planted.X_train, planted.Y_train, callback=lambda event: STOP)
        tree = stopped.label_tree()
        for node in tree.children(0):
            if tree.label[node] >= 0:
                continue
            W, bias = stopped.classifiers(node)
            labels = tree.label[tree.children(node).start : tree.children(node).stop]
            assert W.nnz == 0
            share = stopped.label_counts_[labels] / stopped.label_counts_[labels].sum()
            np.testing.assert_allclose(np.exp(-(np.maximum(0, 1 - bias) ** 2)), share, rtol=1e-4)
        popular = Popular().fit(planted.X_train, planted.Y_train)
        P = [precision_at_k(planted.Y_test, one.predict_topk(planted.X_test), k=1)[0] for one in (stopped, popular)]
        assert P[0] > P[1]

    def test_an_interrupted_fit_does_not_go_on_behind_the_scenes(self, model, planted, monkeypatch) -> None:
        learned = []
        monkeypatch.setattr(label_trees, "learn_node", lambda *a, **k: learned.append(1) or learn_node(*a, **k))

        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            model.__sklearn_clone__().set_params(n_jobs=2).fit(planted.X_train, planted.Y_train, callback=interrupt)
        at_once = len(learned)
        time.sleep(0.3)
        assert len(learned) == at_once, caught
        model.__sklearn_clone__().fit(planted.X_train, planted.Y_train)
        assert at_once < 0.8 * (len(learned) - at_once)

    def test_beam_and_tree_are_checked_when_they_are_used(self, model, planted) -> None:
        with pytest.raises(NotFittedError):
            model.__sklearn_clone__().label_tree()
        fitted = model.__sklearn_clone__().set_params(n_trees=2).fit(planted.X_train, planted.Y_train)
        for tree in (-1, 2):
            with pytest.raises(ValueError, match=f"tree is {tree}; wanted 0 <= tree < 2"):
                fitted.classifiers(0, tree)
        for beam in (0, -1, 2.5):
            with pytest.raises(ValueError, match=f"beam is {beam}"):
                fitted.set_params(beam=beam).predict_topk(planted.X_test)
        fitted.set_params(beam=10**30).predict_topk(planted.X_test)

    def test_labels_without_a_positive_hang_nowhere(self, model, planted) -> None:
        Y = planted.Y_train.tolil()
        Y[:, [0, 17, 59]] = 0
        model = model.__sklearn_clone__().fit(planted.X_train, Y.tocsr())
        for number in range(3):
            assert not set(model.label_tree(number).label) & {0, 17, 59}
        S = model.set_params(beam=10**6).predict_topk(planted.X_test, k=60)
        assert not set(S.indices) & {0, 17, 59}
        assert (np.diff(S.indptr) == 57).all()

    def test_instances_without_labels_change_nothing(self, model, planted) -> None:
        X = sparse.vstack([planted.X_train, planted.X_train[:50]]).tocsr()
        Y = sparse.vstack([planted.Y_train, sparse.csr_array((50, 60))]).tocsr()
        more, fewer = (model.__sklearn_clone__().fit(*pair) for pair in ((X, Y), (planted.X_train, planted.Y_train)))
        np.testing.assert_array_equal(more.child_, fewer.child_)
        P = [precision_at_k(planted.Y_test, one.predict_topk(planted.X_test), k=1)[0] for one in (more, fewer)]
        assert P[0] == pytest.approx(P[1], abs=0.02)

    def test_trees_differ_and_the_seed_decides(self, model, planted) -> None:
        fits = [
            model.__sklearn_clone__().set_params(random_state=seed).fit(planted.X_train, planted.Y_train)
            for seed in (3, 3, 4)
        ]
        assert same(*(fit.predict_topk(planted.X_test) for fit in fits[:2]))
        assert not np.array_equal(fits[0].child_, fits[2].child_)
        assert not np.array_equal(fits[0].label_tree(0).label, fits[0].label_tree(1).label)

    def test_a_file_whose_tree_does_not_hold_together_is_refused(self, model, planted, tmp_path) -> None:
        fitted = model.__sklearn_clone__().fit(planted.X_train, planted.Y_train)
        fitted.child_ = fitted.child_[::-1].copy()
        fitted.save(tmp_path / "model")
        with pytest.raises(ModelFileError, match="breadth first"):
            type(model).load(tmp_path / "model")

    def test_only_inner_nodes_have_classifiers(self, model, planted) -> None:
        fitted = model.__sklearn_clone__().set_params(n_trees=1).fit(planted.X_train, planted.Y_train)
        leaf = int(np.flatnonzero(fitted.label_tree().label >= 0)[0])
        with pytest.raises(ValueError, match=f"node is {leaf}; wanted an inner node"):
            fitted.classifiers(leaf)


def test_labels_that_all_look_alike_are_divided_nevertheless() -> None:
    Y = sparse.csr_array(np.ones((20, 40), dtype=np.float32))
    X = sparse.csr_array(np.random.default_rng(0).random((20, 6)).astype(np.float32))
    tree = Bonsai(n_trees=1, n_clusters=4, max_leaf=10).fit(X, Y).label_tree()
    assert [len(tree.labels_under(child)) for child in tree.children(0)] == [10, 10, 10, 10]


def test_many_children_and_many_features_are_counted_in_wider_types(tmp_path) -> None:
    X = sparse.csr_array((np.ones(300, np.float32), (np.arange(300), 300 * np.arange(300))), shape=(300, 90_000))
    Y = sparse.csr_array(np.eye(300, dtype=np.float32))
    Parabel(n_trees=1, max_leaf=300).fit(X, Y).save(tmp_path / "model")
    model = Parabel.load(tmp_path / "model")
    assert (model.entry_child_.dtype, model.features_.dtype) == (np.uint16, np.int32)
    assert model.predict_topk(X, k=1).indices.tolist() == list(range(300))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Parabel(n_trees=0), "n_trees is 0"),
        (Parabel(max_leaf=0), "max_leaf is 0"),
        (Parabel(beam=0), "beam is 0"),
        (Parabel(C=0), "C is 0"),
        (Bonsai(n_clusters=0), "n_clusters is 0"),
        (Bonsai(depth=0), "depth is 0"),
        (Bonsai(representation="words"), "representation is 'words'"),
    ],
)
def test_parameters_out_of_range_are_named(model, message: str, planted) -> None:
    with pytest.raises(ValueError, match=message):
        model.fit(planted.X_train, planted.Y_train)
