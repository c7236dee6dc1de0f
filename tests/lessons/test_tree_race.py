"""Trees side by side: intervals, fates of right labels, prefixes of forests, settings; against brute force."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.tree_race import (
    as_text,
    first_trees,
    forest_curve,
    propensity_and_reranker,
    quality_intervals,
    scored_labels_curve,
    setting_curve,
    swap_trees,
    whereabouts,
)
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models import LPSR, Parabel
from xmlwb.models.fastxml import FastXML
from xmlwb.models.one_vs_all import OneVsAll
from xmlwb.models.pfastrexml import PfastreXML
from xmlwb.tails import frequency_bins


@pytest.fixture(scope="module")
def ds(small_dataset: Dataset) -> Dataset:
    """The small set with a second label for each instance: among single labels, weights by propensity cancel."""

    def with_second(X: csr_array, Y: csr_array) -> csr_array:
        second = X[:, 12:24].argmax(axis=1)  # of the twelve features that are nobody's own, the heaviest
        both = Y.toarray()
        both[np.arange(len(both)), np.minimum(second, 11)] = 1
        return csr_array(both)

    Y_train = with_second(small_dataset.X_train, small_dataset.Y_train)
    Y_test = with_second(small_dataset.X_test, small_dataset.Y_test)
    return dataclasses.replace(small_dataset, Y_train=Y_train, Y_test=Y_test)


@pytest.fixture(scope="module")
def fits(ds: Dataset) -> dict[str, FastXML | PfastreXML | Parabel]:
    models = {
        "FastXML": FastXML(n_trees=4),
        "PfastreXML": PfastreXML(n_trees=4),
        "Parabel": Parabel(n_trees=3, max_leaf=3, beam=2),
    }
    return {name: model.fit(ds.X_train, ds.Y_train) for name, model in models.items()}


def dense(S: csr_array) -> np.ndarray:
    out = np.full(S.shape, -np.inf)
    rows = np.repeat(np.arange(S.shape[0]), np.diff(S.indptr))
    out[rows, S.indices] = S.data
    return out


def test_intervals_hold_the_metrics_of_the_house(ds: Dataset, fits) -> None:
    S = {name: model.predict_topk(ds.X_test, k=3) for name, model in fits.items()}
    quality = quality_intervals(ds, S, (1, 3), n_resamples=50).set_index(["model", "metric"])
    p = propensities(ds.Y_train, *ds.propensity_ab)
    for name, scores in S.items():
        P, PSP = precision_at_k(ds.Y_test, scores, 3), psp_at_k(ds.Y_test, scores, p, 3)
        assert quality.loc[(name, "P@3"), "value"] == pytest.approx(P[2])
        assert quality.loc[(name, "PSP@1"), "value"] == pytest.approx(PSP[0])
    assert (quality["low"] <= quality["value"]).all()
    assert (quality["low"] < quality["high"]).all()
    text = as_text(quality.reset_index())
    assert list(text.index) == list(S)
    assert list(text.columns) == ["P@1", "P@3", "PSP@1", "PSP@3"]
    assert text.loc["FastXML", "P@1"].startswith(f"{100 * quality.loc[('FastXML', 'P@1'), 'value']:.1f} (")


def test_whereabouts_follow_each_right_label(ds: Dataset, fits) -> None:
    k = 2
    models = {**fits, "OneVsAll": OneVsAll().fit(ds.X_train, ds.Y_train)}
    found = whereabouts(models, ds.X_test, ds.Y_test, ds.Y_train, k=k).set_index(["model", "decile"])
    decile = frequency_bins(ds.Y_train, "decile")["bin"].astype(str).to_numpy()
    Y = ds.Y_test.toarray() > 0
    for name, model in models.items():
        scores = dense(model.predict_topk(ds.X_test, k=Y.shape[1]))
        counts = np.zeros((10, 3))
        for i, label in zip(*np.nonzero(Y), strict=True):
            if decile[label] == "unseen":
                continue
            order = sorted(range(Y.shape[1]), key=lambda other: (-scores[i, other], other))
            fate = 2 if scores[i, label] == -np.inf else 0 if label in order[:k] else 1
            counts[int(decile[label]) - 1, fate] += 1
        ours = found.loc[name]
        assert ours["positives"].to_list() == counts.sum(axis=1).tolist()
        shares = ours[["among the first k", "reached, outranked", "never reached"]].to_numpy()
        assert shares * ours["positives"].to_numpy()[:, None] == pytest.approx(counts)
    assert found.loc["OneVsAll", "never reached"].max() == 0
    assert found.loc["FastXML", "never reached"].max() > 0


def test_the_first_trees_of_a_fastxml_are_the_smaller_forest(ds: Dataset, fits) -> None:
    few = first_trees(fits["FastXML"], 2)
    alone = FastXML(n_trees=2).fit(ds.X_train, ds.Y_train)
    assert (dense(few.predict_topk(ds.X_test, 12)) == dense(alone.predict_topk(ds.X_test, 12))).all()
    assert fits["FastXML"].n_trees == 4
    assert len(fits["FastXML"].tree_ptr_) == 5
    with pytest.raises(ValueError, match="wanted 1 to 4"):
        first_trees(fits["FastXML"], 5)


def test_the_first_trees_of_a_parabel_average_its_trees(ds: Dataset, fits) -> None:
    X = ds.X_test
    exhaustive = fits["Parabel"].set_params(beam=100)

    def probability(n: int) -> np.ndarray:
        return np.exp(dense(first_trees(exhaustive, n).predict_topk(X, 12)))

    singles = [probability(1)]
    for n in (2, 3):  # the mean of n trees, n times, less what came before is the n-th tree
        singles.append(n * probability(n) - sum(singles))
        tree = exhaustive.label_tree(n - 1)
        for label in range(12):  # and that is the product of the tree's own decisions along the path
            path = tree.path(label)
            logs = np.zeros(X.shape[0])
            for node, child in itertools.pairwise(path):
                W, bias = exhaustive.classifiers(node, n - 1)
                c = child - tree.children(node)[0]
                logs -= np.maximum(0, 1 - (X @ W[:, [c]].toarray()[:, 0] + bias[c])) ** 2
            assert singles[-1][:, label] == pytest.approx(np.exp(logs), abs=1e-5)
    assert np.exp(dense(exhaustive.predict_topk(X, 12))) == pytest.approx(sum(singles) / 3, abs=1e-5)
    fits["Parabel"].set_params(beam=2)


def test_curves_are_the_metrics_of_each_prefix_and_setting(ds: Dataset, fits) -> None:
    p = propensities(ds.Y_train)
    curve = forest_curve(fits["FastXML"], ds.X_test, ds.Y_test, p, (1, 3))
    assert curve["trees"].to_list() == [1, 3]
    S = FastXML(n_trees=3).fit(ds.X_train, ds.Y_train).predict_topk(ds.X_test, 5)
    assert curve["P@1"][1] == precision_at_k(ds.Y_test, S, 1)[0]
    assert curve["PSP@5"][1] == psp_at_k(ds.Y_test, S, p, 5)[4]

    model = fits["PfastreXML"]
    settings = setting_curve(model, ds.X_test, ds.Y_test, p, "alpha", (0.0, 1.0))
    for alpha, row in zip((0.0, 1.0), settings.itertuples(), strict=True):
        S = PfastreXML(n_trees=4, alpha=alpha).fit(ds.X_train, ds.Y_train).predict_topk(ds.X_test, 5)
        assert row[2] == precision_at_k(ds.Y_test, S, 1)[0]
    assert model.alpha == 0.8


def test_propensities_and_reranker_are_switched_one_by_one(ds: Dataset, fits) -> None:
    p = propensities(ds.Y_train)
    table = propensity_and_reranker(fits["FastXML"], fits["PfastreXML"], ds.X_test, ds.Y_test, p)
    cell = table.set_index(["trees by", "re-ranker"])["P@5"]
    P = {name: precision_at_k(ds.Y_test, model.predict_topk(ds.X_test, 5), 5)[4] for name, model in fits.items()}
    assert cell["count", False] == P["FastXML"]
    assert cell["propensity", True] == P["PfastreXML"]
    # gains that are all alike grow FastXML's trees, so its re-ranked form is a PfastreXML with A = 0
    alike = PfastreXML(n_trees=4, A=0.0).fit(ds.X_train, ds.Y_train)
    assert cell["count", True] == precision_at_k(ds.Y_test, alike.predict_topk(ds.X_test, 5), 5)[4]
    mixed = swap_trees(fits["PfastreXML"], fits["FastXML"])
    assert (mixed.apply(ds.X_test) == fits["FastXML"].apply(ds.X_test)).all()
    assert (fits["PfastreXML"].apply(ds.X_test) != fits["FastXML"].apply(ds.X_test)).any()


def test_labels_scored_are_those_that_get_a_score(ds: Dataset) -> None:
    train, test = (ds.X_train, ds.Y_train), (ds.X_test, ds.Y_test)
    p = propensities(ds.Y_train)
    table = scored_labels_curve(LPSR(max_leaf=40), OneVsAll().fit(*train), train, test, p, (1, 3, 12))
    assert table["model"].to_list() == ["LPSR"] * 3 + ["OneVsAll"]
    for size, row in zip((1, 3, 12), table.to_dict("records"), strict=False):
        alone = LPSR(max_leaf=40, n_labels=size).fit(*train)
        scored = np.isfinite(dense(alone.predict_topk(ds.X_test, 12))).sum(axis=1)
        assert row["labels scored"] == scored.mean()
        assert row["P@1"] == precision_at_k(ds.Y_test, alone.predict_topk(ds.X_test, 5), 1)[0]
    assert table["labels scored"].is_monotonic_increasing
    assert table["labels scored"].iloc[-1] == np.count_nonzero(ds.Y_train.sum(axis=0))
