"""Chapter 08's parts that need no training: searches drawn, the two parts of a prediction, fronts, documents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import load
from xmlwb.lessons.blend_study import Parts
from xmlwb.lessons.cycle import sigmoid, telling_documents
from xmlwb.lessons.lightdxml_ablation import list_recall
from xmlwb.lessons.method_costs import cost_explorer, front_table, measured_costs
from xmlwb.lessons.search_steps import SearchSteps, search_steps
from xmlwb.lessons.small_world import met_so_far
from xmlwb.metrics import precision_at_k


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.concatenate([np.random.default_rng(0).normal(size=(60, 6)), np.zeros((1, 6))])


@pytest.fixture(scope="module")
def steps(vectors) -> SearchSteps:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    documents = {"near 7": (vectors[7] * 3, {7}), "near 9": (vectors[9], set())}
    return SearchSteps(vectors, [f"label {j}" for j in range(61)], documents)


class TestSearchSteps:
    def test_it_ends_at_the_nearest_label(self, steps) -> None:
        hops = steps.run("near 7", ef=20)
        assert int(steps.labels[hops[-1].best[0][1]]) == 7 == steps.exact(1)[0]
        assert 60 not in steps.labels, "a vector of length zero has no direction"

    def test_each_hop_says_what_has_been_paid(self, steps) -> None:
        hops = steps.run("near 7", ef=5)
        for at in (0, len(hops) - 1):
            figure = steps.draw(hops, at)
            assert f"{len(met_so_far(steps.world, hops[: at + 1]))} of 60" in figure.layout.title.text
        assert "1.00  label 7 ✓" in " ".join(note.text for note in steps.draw(hops, len(hops) - 1).layout.annotations)

    def test_another_number_of_links_is_another_graph(self, vectors, steps) -> None:
        view = search_steps(vectors, [f"label {j}" for j in range(61)], {"near 7": (vectors[7], {7})})
        before = len(view.states)
        view.controls["ef"].value = 40
        assert len(view.states) > before
        view.controls["n_links"].value = 16
        assert view.step.value == 0


class TestParts:
    @pytest.fixture
    def parts(self) -> Parts:
        return Parts(
            np.array([[2, 0, -1], [1, 3, 0]], dtype=np.int32),
            np.float32([[0.2, 0.9, 0.7], [0.3, 0.5, 0.4]]),
            np.float32([[0.7, 0.6, 0.7], [0.6, 0.5, 0.5]]),
        )

    @pytest.mark.parametrize(("beta", "first"), [(0.0, [2, 1]), (1.0, [0, 3]), (0.5, [0, 3])])
    def test_the_first_label_by_beta(self, parts, beta: float, first: list[int]) -> None:
        S = parts.topk(beta, 2, 4)
        assert S.toarray().argmax(axis=1).tolist() == first
        assert np.diff(S.indptr).tolist() == [2, 2]

    def test_a_short_list_stays_short(self, parts) -> None:
        assert np.diff(parts.topk(0.5, 3, 4).indptr).tolist() == [2, 3]

    def test_dense_parts_rank_alike(self, parts) -> None:
        classifier, near = parts.dense(4)
        assert classifier.tolist() == np.float32([[0.9, 0, 0.2, 0], [0.4, 0.3, 0, 0.5]]).tolist()
        Y = csr_array(np.float32([[1, 0, 0, 0], [0, 1, 0, 0]]))
        for beta in (0.0, 0.5, 1.0):
            best = (beta * classifier + (1 - beta) * near).argmax(axis=1)
            S = parts.topk(beta, 1, 4)
            assert S.indices.tolist() == best.tolist()
            assert precision_at_k(Y, S, 1)[0] == Y[range(2), S.indices].mean()


def test_the_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise"):
        np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0, 2, 1000])), [0, 0.5, 1 / (1 + np.exp(-2)), 1])


def test_shortlists_recall_counts_true_labels_once() -> None:
    Y = csr_array(np.float32([[1, 1, 0], [0, 0, 1], [0, 0, 0]]))
    assert list_recall(np.array([[0, 2], [-1, -1], [0, 1]]), Y) == pytest.approx(1 / 3)


def test_documents_to_watch_have_labels_and_a_text() -> None:
    ds = load("debtags")
    rows = telling_documents(ds.Y_valid, ds.texts_valid)
    assert len(set(rows)) == 6
    assert rows == sorted(rows)
    for row in rows:
        assert 4 <= ds.Y_valid[[row]].nnz <= 8
        assert len(ds.texts_valid[row]) >= 60


class TestCosts:
    @pytest.fixture
    def table(self) -> pd.DataFrame:
        quality = {"P@1": [10.0, 60, 70, np.nan], "P@5": [5.0, 30, 30, np.nan], "PSP@1": [1.0, 40, 30, np.nan],
                   "PSP@5": [1.0, 2, 3, np.nan]}  # fmt: skip
        costs = {"train s": [0.1, 5, 1, np.nan], "model MB": [1.0, 2, 3, np.nan], "ms an instance": [1, 1, 1, np.nan]}
        return pd.DataFrame(
            {"data": "debtags", "method": ["Popular", "A", "B", "C"], "family": "f", **quality, **costs,
             "left out": [None, None, None, "more than 60 s"]}
        )  # fmt: skip

    def test_fronts_of_each_cost(self, table) -> None:
        fronts = front_table(table)["on the front of"]
        assert fronts.to_dict() == {
            "B": "train s, model MB, ms an instance",
            "A": "model MB",
            "Popular": "train s, model MB",
        }
        assert front_table(table, "PSP@1")["on the front of"]["A"] == "train s, model MB, ms an instance"

    def test_the_explorer_changes_what_is_found(self, table) -> None:
        view = cost_explorer(table)
        assert "3 methods" in view.figure.layout.title.text
        view.controls["quality"].value = "PSP@1"
        assert view.figure.layout.yaxis.title.text == "PSP@1, per cent"

    def test_another_table_is_refused(self, tmp_path) -> None:
        (tmp_path / "t.csv").write_text("data,method\n1,2\n")
        with pytest.raises(ValueError, match="no column"):
            measured_costs(tmp_path / "t.csv")
        with pytest.raises(FileNotFoundError, match=r"method_costs\.py"):
            measured_costs(tmp_path / "none.csv")


def test_table_of_the_package_if_it_has_been_measured() -> None:
    try:
        table = measured_costs()
    except FileNotFoundError:
        pytest.skip("benchmarks/method_costs.py has not been run")
    known = table.dropna(subset=["P@1"])
    assert set(known["data"]) >= {"debtags"}
    assert (known[["train s", "model MB", "ms an instance"]] > 0).all().all()
    assert known["P@1"].between(0, 100).all()
    assert not known.duplicated(["data", "key"]).any()
