"""The tail lens on planted power laws and on small cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import zeta

from xmlwb.metrics import coverage_at_k, paired_test, precision_at_k
from xmlwb.power_law import fit_power_law
from xmlwb.tails import frequency_bins, tail_views


def with_counts(counts):
    """A label matrix whose column l holds counts[l] ones, each in a row of its own."""
    columns = np.repeat(np.arange(len(counts)), counts)
    return sparse.csr_array((np.ones(len(columns)), (np.arange(len(columns)), columns)), (len(columns), len(counts)))


def rows(lists, L):
    indptr = np.cumsum([0, *map(len, lists)])
    columns = np.array([j for one in lists for j in one], dtype=np.int64)
    scores = np.concatenate([np.arange(len(one), 0.0, -1) for one in lists])  # the first named ranks first
    return sparse.csr_array((scores, columns, indptr), shape=(len(lists), L))


def zipf_sample(alpha, x_min, n, seed):
    """Draws of the discrete power law by inverting its exact distribution function up to a far cut."""
    x = np.arange(x_min, 2_000_000, dtype=float)
    cdf = np.cumsum(x**-alpha)
    return x[np.searchsorted(cdf / cdf[-1], np.random.default_rng(seed).random(n))]


# ---- the power law ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "x_min"), [(1.8, 1), (2.2, 1), (2.5, 5), (3.0, 20)])
def test_the_planted_exponent_is_found(alpha, x_min):
    fit = fit_power_law(zipf_sample(alpha, x_min, 5000, seed=1), x_min=x_min)
    assert fit.alpha == pytest.approx(alpha, abs=4 * (alpha - 1) / np.sqrt(5000))  # 4 standard errors
    assert fit.rank_exponent == pytest.approx(1 / (fit.alpha - 1))
    assert fit.n_covered == 5000


def test_the_cut_off_is_found_where_the_law_begins():
    tail = zipf_sample(2.5, 30, 3000, seed=2)
    body = np.random.default_rng(2).integers(1, 30, 3000)  # flat below: no power law
    fit = fit_power_law(np.concatenate([tail, body]))
    assert 20 <= fit.x_min <= 60
    assert fit.alpha == pytest.approx(2.5, abs=0.2)
    assert fit.distance < fit_power_law(np.concatenate([tail, body]), x_min=1).distance / 3


def test_the_fitted_curve_meets_the_data():
    x = zipf_sample(2.0, 1, 20000, seed=3)
    fit = fit_power_law(x, x_min=1)
    for level in (1, 3, 10, 50):
        assert fit.rank_of(level) == pytest.approx((x >= level).sum(), rel=0.1)


def test_the_distance_sees_a_jump_from_both_sides():
    """Two frequencies only: the gap is widest right above the lower one, where the data have all but a few labels."""
    x = np.repeat([10, 1000], [30, 3])
    fit = fit_power_law(x, x_min=10)
    support = np.arange(10, 200_000, dtype=float)
    model = np.cumsum(support**-fit.alpha) / zeta(fit.alpha, 10)
    observed = np.searchsorted(x, support, side="right") / len(x)
    assert fit.distance == pytest.approx(np.abs(observed - model).max(), abs=1e-6)
    assert fit.distance > 0.5


@pytest.mark.parametrize(("highest", "low"), [(120, 40), (np.inf, 15)])
def test_no_low_cut_off_is_skipped(highest, low):
    """Of many frequencies, those where most labels are: the law begins at 7."""
    x = np.concatenate([zipf_sample(2.2, 7, 40_000, seed=5), np.random.default_rng(5).integers(1, 7, 40_000)])
    x = x[x < highest]
    assert len(np.unique(x)) > 100
    best = min((fit_power_law(x, x_min=c) for c in range(1, low)), key=lambda fit: fit.distance)
    assert fit_power_law(x) == best


def test_an_exponent_out_of_range_is_no_fit():
    counts = [50] * 40 + [51]  # the likelihood grows up to alpha = ln 40 / ln 1.02
    for x_min in (None, 50):
        with pytest.raises(ValueError, match=r"counts: .*no exponent from 1.01 to 8.0 fits"):
            fit_power_law(counts, x_min=x_min)
    one = sparse.csr_array(np.ones((1, len(counts))))
    assert tail_views(with_counts(counts), one, {"m": one}, k=1, n_resamples=2).power_law is None


@pytest.mark.parametrize("counts", [[5] * 100, [1, 2, 3], [], [0] * 50])
def test_no_fit_without_spread(counts):
    with pytest.raises(ValueError, match="counts: found"):
        fit_power_law(counts)


@pytest.mark.parametrize("x_min", [0, 99, 1000])
def test_bad_cut_off(x_min):
    with pytest.raises(ValueError, match="x_min: found"):
        fit_power_law(np.arange(1, 101), x_min=x_min)


# ---- bins ------------------------------------------------------------------------------------------------------------


def test_mass_bins_hold_thirds_and_keep_equals_together():
    table = frequency_bins(with_counts([1, 30, 10, 0, 10, 10, 5, 5, 5, 5, 9]))
    assert table["bin"].tolist() == [
        "tail", "head", "torso", "unseen", "torso", "torso", "tail", "tail", "tail", "tail", "tail"
    ]  # fmt: skip
    assert table["rank"].tolist() == [10, 1, 2, 11, 3, 4, 6, 7, 8, 9, 5]
    assert table["positives"].sum() == 90


def test_tenths_hold_a_tenth_of_the_labels_seen():
    counts = np.concatenate([np.random.default_rng(0).integers(1, 9, 57), [0, 0, 0]])
    table = frequency_bins(with_counts(counts), kind="decile")
    sizes = table["bin"].value_counts()
    assert sizes["unseen"] == 3
    assert set(sizes.drop("unseen")) == {5, 6}
    seen = table[table["bin"] != "unseen"]
    lowest, highest = (seen.groupby("bin", observed=True)["positives"].agg(f).to_numpy() for f in ("min", "max"))
    assert (lowest[:-1] >= highest[1:]).all()


def test_bins_of_nothing_and_of_a_wrong_kind():
    assert frequency_bins(sparse.csr_array((4, 3)))["bin"].tolist() == ["unseen"] * 3
    with pytest.raises(ValueError, match="kind: found 'thirds'"):
        frequency_bins(np.eye(3), kind="thirds")
    with pytest.raises(ValueError, match=r"Y_train: found 2.0"):
        frequency_bins(2 * np.eye(3))


# ---- the views -------------------------------------------------------------------------------------------------------

TRAIN = with_counts([6, 4, 1, 1, 0])  # head, torso, tail, tail, unseen
TEST = rows([[0, 1], [0, 2], [1], [0, 4]], 5)
TEST.data[:] = 1
FREQUENT = rows([[0, 1], [0, 1], [0, 1], [0, 1]], 5)
RARE = rows([[1, 3], [2, 0], [3, 1], [4, 3]], 5)


@pytest.fixture
def views():
    return tail_views(TRAIN, TEST, {"frequent": FREQUENT, "rare": RARE}, k=2, label_names=list("abcde"))


def by(table, model, column):
    return table[table["model"] == model].set_index("bin")[column].to_dict()


def test_recall_by_bin_counted_by_hand(views):
    assert views.bins["labels"].to_dict() == {"head": 1, "torso": 1, "tail": 2, "unseen": 1}
    assert by(views.quality, "frequent", "recall") == {"head": 1, "torso": 1, "tail": 0, "unseen": 0}
    assert by(views.quality, "rare", "recall") == pytest.approx({"head": 1 / 3, "torso": 1, "tail": 1, "unseen": 1})
    assert by(views.gain, "rare", "gain") == pytest.approx({"head": -2 / 3, "torso": 0, "tail": 1, "unseen": 1})
    assert (views.baseline, set(views.gain["model"])) == ("frequent", {"rare"})


def test_coverage_counted_by_hand(views):
    assert by(views.coverage, "frequent", "never predicted") == {"head": 0, "torso": 0, "tail": 1, "unseen": 1}
    assert by(views.coverage, "rare", "right at least once") == {"head": 1, "torso": 1, "tail": 1, "unseen": 1}
    assert by(views.coverage, "rare", "labels") == {"head": 1, "torso": 1, "tail": 1, "unseen": 1}
    assert views.never_predicted("frequent")["label"].tolist() == ["c", "e"]
    assert views.never_predicted("rare").empty
    assert views.labels.set_index("label")["predicted: rare"].to_dict() == {"a": 1, "b": 2, "c": 1, "d": 3, "e": 1}
    assert views.label_gain("rare").set_index("label")["gain"].to_dict() == pytest.approx(
        {"c": 1, "e": 1, "b": 0, "a": -2 / 3}
    )


def test_predicted_and_never_right():
    views = tail_views(TRAIN, TEST, {"m": rows([[2], [3], [2], [0]], 5)}, k=2)
    tail = views.coverage.set_index("bin").loc["tail"]
    assert tail["predicted, never right"] == 1
    assert tail["labels"] == 1  # label 3 does not occur in the test set
    assert views.gain.empty
    assert views.power_law is None


@pytest.fixture(scope="module")
def larger():
    """400 instances of 60 labels with a long tail; one model guesses from the head, one sees a part of the truth."""
    rng = np.random.default_rng(0)
    p = 0.5 / np.arange(1, 61)
    train, test = (sparse.csr_array((rng.random((n, 60)) < p).astype(np.float64)) for n in (1000, 400))
    popular = np.tile(60.0 - np.arange(60), (400, 1))
    informed = popular + 100 * (test.toarray() * (rng.random((400, 60)) < 0.5))
    return train, test, {"popular": sparse.csr_array(popular), "informed": sparse.csr_array(informed)}


@pytest.mark.parametrize("kind", ["mass", "decile"])
def test_parts_sum_to_the_whole(larger, kind):
    train, test, predictions = larger
    views = tail_views(train, test, predictions, kind=kind)
    for model, S in predictions.items():
        mine = views.quality[views.quality["model"] == model]
        assert mine["P part"].sum() == pytest.approx(precision_at_k(test, S)[4])
        part = views.coverage[views.coverage["model"] == model]
        right = (part["right at least once"].fillna(0) * part["labels"]).sum() / part["labels"].sum()
        assert right == pytest.approx(coverage_at_k(test, S)[4])
        shares = part[part["labels"] > 0][["right at least once", "predicted, never right", "never predicted"]]
        np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert views.bins["share of labels"].sum() == pytest.approx(1)
    assert views.bins["share of positives"].sum() == pytest.approx(1)
    assert (
        (views.quality["low"] <= views.quality["recall"]) & (views.quality["recall"] <= views.quality["high"])
    ).all()


def test_gain_is_the_paired_test_of_the_bin(larger):
    train, test, predictions = larger
    views = tail_views(train, test, predictions, baseline="popular")
    tail = (views.labels["bin"] == "tail").to_numpy()
    best = test[:, tail].sum(axis=1)
    counted = {}
    for model, S in predictions.items():
        ranked = np.argsort(-S.toarray(), axis=1, kind="stable")[:, :5]
        hit = np.take_along_axis(test.toarray(), ranked, axis=1) * tail[ranked]
        counted[model] = (hit.sum(axis=1), best)
    direct = paired_test(counted["informed"], counted["popular"])
    mine = views.gain.set_index("bin").loc["tail"]
    assert (mine["gain"], mine["p value"]) == pytest.approx((direct.difference, direct.p_value))
    assert (mine["low"], mine["high"]) == pytest.approx((direct.low, direct.high), abs=0.02)
    assert mine["low"] > 0


def test_groups_are_resampled_as_wholes(larger):
    """Nine copies of each instance, grouped, give the tables of the instances alone; not grouped, narrower ones."""
    train, test, predictions = larger
    nine = np.repeat(np.arange(400), 9)
    copies = {model: S[nine] for model, S in predictions.items()}
    alone = tail_views(train, test, predictions)
    grouped, ungrouped = (tail_views(train, test[nine], copies, groups=g) for g in (nine, None))
    pd.testing.assert_frame_equal(grouped.quality, alone.quality)
    pd.testing.assert_frame_equal(grouped.gain, alone.gain)
    assert (grouped.grouped, ungrouped.grouped) == (True, False)
    widths = [views.quality["high"] - views.quality["low"] for views in (alone, ungrouped)]
    assert (widths[0] / widths[1]).mean() == pytest.approx(3, rel=0.1)
    with pytest.raises(ValueError, match="groups: found 400 entries, wanted 3600"):
        tail_views(train, test[nine], copies, groups=range(400))


def test_same_seed_same_tables_and_a_baseline_by_name(larger):
    train, test, predictions = larger
    first, again = (tail_views(train, test, predictions, baseline="informed", n_resamples=50) for _ in range(2))
    for name in ("labels", "bins", "quality", "gain", "coverage"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert set(first.gain["model"]) == {"popular"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predictions": {}}, "predictions: found no model"),
        ({"baseline": "x"}, "baseline: found 'x', wanted one of m"),
        ({"Y_test": np.ones((2, 4))}, "Y_test: found 4 labels, wanted the 5"),
        ({"label_names": ["a"]}, "label_names: found 1 names, wanted 5"),
        ({"predictions": {"m": RARE, "short": RARE[[0]]}}, r"predictions\['short'\]: S: found shape \(1, 5\)"),
        ({"Y_test": TEST[:0]}, "Y_test: found no rows"),
        ({"k": 9}, "^k: found 9"),
        ({"confidence": 95}, "confidence: found 95"),
        ({"n_resamples": 0}, "n_resamples: found 0"),
    ],
)
def test_bad_input(change, says):
    arguments = {"Y_train": TRAIN, "Y_test": TEST, "predictions": {"m": RARE}, "k": 2, **change}
    with pytest.raises(ValueError, match=says):
        tail_views(**arguments)


@pytest.mark.parametrize("method", ["never_predicted", "label_gain"])
def test_unknown_model(views, method):
    with pytest.raises(ValueError, match=r"model: found 'x', wanted one of frequent, rare$"):
        getattr(views, method)("x")
