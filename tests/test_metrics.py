"""Metrics against hand-worked cases, a slow literal reading of the definitions, napkinXC, and scipy's tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from xmlwb.metrics import (
    bootstrap_interval,
    coverage_at_k,
    evaluate,
    ndcg_at_k,
    paired_test,
    precision_at_k,
    propensities,
    psndcg_at_k,
    psp_at_k,
    recall_at_k,
    top_k_hits,
)


def csr(rows, L, scores=None):
    """A csr_array from lists of columns, with scores or ones; stored zeros stay."""
    indptr = np.cumsum([0, *map(len, rows)])
    data = np.ones(indptr[-1]) if scores is None else np.array([v for row in scores for v in row], dtype=float)
    columns = np.array([j for row in rows for j in row], dtype=np.int64)
    return sparse.csr_array((data, columns, indptr), shape=(len(rows), L))


def random_case(seed, n=40, L=12, ties=True):
    """Rows of 0 to L labels and of 0 to L predictions; with ties, few distinct scores, zero and negative among them."""
    rng = np.random.default_rng(seed)
    true = [sorted(rng.choice(L, rng.integers(0, 5), replace=False)) for _ in range(n)]
    predicted = [rng.permutation(L)[: rng.integers(0, L + 1)] for _ in range(n)]  # unsorted on purpose
    scores = [rng.integers(-2, 3, len(p)) if ties else rng.normal(size=len(p)) for p in predicted]
    return csr(true, L), csr(predicted, L, scores), rng.uniform(0.05, 1, L)


def brute_force(Y, S, p, k):
    """Each metric as its definition reads, with Python lists and loops."""
    Y, n = Y.toarray(), Y.shape[0]
    ranked = []
    for i in range(n):
        inside = slice(S.indptr[i], S.indptr[i + 1])
        pairs = sorted((-s, int(j)) for j, s in zip(S.indices[inside], S.data[inside], strict=True))
        ranked.append([j for _, j in pairs])
    out = {}
    for kk in range(1, k + 1):
        P = R = N = top = best = dtop = dbest = 0.0
        found = set()
        for i in range(n):
            first, truth = ranked[i][:kk], [j for j in range(Y.shape[1]) if Y[i, j]]
            hits = [(r, j) for r, j in enumerate(first, start=1) if j in truth]
            found |= {j for _, j in hits}
            P += len(hits) / kk
            if truth:
                ideal = sum(1 / math.log2(r + 1) for r in range(1, min(kk, len(truth)) + 1))
                R += len(hits) / len(truth)
                N += sum(1 / math.log2(r + 1) for r, _ in hits) / ideal
                worth = sorted((1 / p[j] for j in truth), reverse=True)[:kk]
                top += sum(1 / p[j] for _, j in hits) / kk
                best += sum(worth) / kk
                dtop += sum(1 / p[j] / math.log2(r + 1) for r, j in hits) / ideal
                dbest += sum(w / math.log2(r + 1) for r, w in enumerate(worth, start=1)) / ideal
        out |= {f"P@{kk}": P / n, f"R@{kk}": R / n, f"nDCG@{kk}": N / n}
        out |= {f"PSP@{kk}": top / best, f"PSnDCG@{kk}": dtop / dbest}
        out[f"coverage@{kk}"] = len(found) / int(Y.any(axis=0).sum())
    return out


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("k", [1, 5, 12])
def test_equals_the_definitions_read_literally(seed, k):
    Y, S, p = random_case(seed)
    assert dict(evaluate(Y, S, p, k)) == pytest.approx(brute_force(Y, S, p, k))


@pytest.mark.parametrize("seed", range(3))
def test_single_metrics_agree_with_evaluate(seed):
    Y, S, p = random_case(seed)
    whole = evaluate(Y, S, p)
    single = {
        "P": precision_at_k(Y, S),
        "nDCG": ndcg_at_k(Y, S),
        "R": recall_at_k(Y, S),
        "coverage": coverage_at_k(Y, S),
        "PSP": psp_at_k(Y, S, p),
        "PSnDCG": psndcg_at_k(Y, S, p),
    }
    assert dict(whole) == pytest.approx({f"{m}@{i + 1}": v for m, vs in single.items() for i, v in enumerate(vs)})
    for metric in (precision_at_k, ndcg_at_k, recall_at_k):
        np.testing.assert_allclose(metric(Y, S, per_instance=True).mean(axis=0), metric(Y, S))
    for metric in (psp_at_k, psndcg_at_k):
        reached, best = metric(Y, S, p, per_instance=True)
        assert reached.shape == best.shape == (40, 5)
        np.testing.assert_allclose(reached.sum(axis=0) / best.sum(axis=0), metric(Y, S, p))


def test_worked_by_hand():
    # Row 0: labels {0, 3}, ranked 3, 1, 0. Row 1: labels {1}, ranked 2 alone. Row 2: no labels, ranked 0, 1, 2.
    Y = csr([[0, 3], [1], []], 4)
    S = csr([[0, 1, 3], [2], [0, 1, 2]], 4, [[1, 2, 3], [5], [3, 2, 1]])
    p = np.array([0.5, 0.25, 1.0, 0.2])
    np.testing.assert_allclose(precision_at_k(Y, S, 3), [1 / 3, 1 / 6, 2 / 9])
    np.testing.assert_allclose(recall_at_k(Y, S, 3), [1 / 6, 1 / 6, 1 / 3])
    second = 1 / math.log2(3)
    np.testing.assert_allclose(ndcg_at_k(Y, S, 3), np.array([1, 1 / (1 + second), 1.5 / (1 + second)]) / 3)
    np.testing.assert_allclose(psp_at_k(Y, S, p, 3), [5 / 9, 5 / 11, 7 / 11])
    best = (5 + 2 * second) / (1 + second)
    np.testing.assert_allclose(
        psndcg_at_k(Y, S, p, 3), [5 / 9, 5 / (1 + second) / (best + 4), 6 / (1 + second) / (best + 4)]
    )
    np.testing.assert_allclose(coverage_at_k(Y, S, 3), [1 / 3, 1 / 3, 2 / 3])
    assert evaluate(Y, S, k=3).n_unlabelled == 1
    assert evaluate(Y, S, k=3).n_instances == 3


def test_ties_go_to_the_lower_label_and_stored_zeros_are_predictions():
    S = csr([[4, 2, 0], [3, 1]], 5, [[7, 7, 7], [0.0, -1.0]])
    labels, right = top_k_hits(csr([[2], [1]], 5), S, 3)
    assert labels.tolist() == [[0, 2, 4], [3, 1, -1]]
    assert right.tolist() == [[False, True, False], [False, True, False]]


def test_infinite_scores_rank_and_minus_infinity_is_still_a_prediction():
    S = csr([[0, 1, 2], [1]], 3, [[-np.inf, np.inf, 0], [-np.inf]])
    assert top_k_hits(csr([[0], [1]], 3), S, 3)[0].tolist() == [[1, 2, 0], [1, -1, -1]]


def test_no_predictions_no_labels():
    nothing = sparse.csr_array((3, 6))
    assert set(evaluate(nothing, nothing, np.ones(6)).values()) == {0.0}
    assert evaluate(nothing, nothing).n_unlabelled == 3


def test_a_perfect_ranking_scores_one_where_it_can():
    Y, _, p = random_case(3)
    S = Y.copy()
    S.data = 1 / p[S.indices]
    np.testing.assert_allclose(psp_at_k(Y, S, p), 1)
    np.testing.assert_allclose(psndcg_at_k(Y, S, p), 1)
    np.testing.assert_allclose(ndcg_at_k(Y, S, 5, per_instance=True)[np.diff(Y.indptr) > 0], 1)
    assert coverage_at_k(Y, S, 12)[-1] == 1


def test_long_and_short_rows_in_one_matrix(monkeypatch):
    Y, S, p = random_case(5, n=300, L=90)
    wanted = evaluate(Y, S, p)
    monkeypatch.setattr("xmlwb.ranking._BLOCK", 100)  # many blocks where there was one
    assert evaluate(Y, S, p) == wanted
    assert dict(wanted) == pytest.approx(brute_force(Y, S, p, 5))


# ---- what the properties must be ------------------------------------------------------------------------------------

seeds = st.integers(0, 10_000)


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_the_order_of_instances_does_not_matter(seed):
    Y, S, p = random_case(seed)
    order = np.random.default_rng(seed).permutation(Y.shape[0])
    assert dict(evaluate(Y[order], S[order], p)) == pytest.approx(dict(evaluate(Y, S, p)))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_bounds_and_growth_with_k(seed):
    Y, S, p = random_case(seed)
    recall, coverage = recall_at_k(Y, S, 12), coverage_at_k(Y, S, 12)
    assert (np.diff(recall) >= -1e-12).all()
    assert (np.diff(coverage) >= 0).all()
    values = np.array(list(evaluate(Y, S, p, 12).values()))
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_propensities_of_one_leave_precision_over_its_best(seed):
    Y, S, _ = random_case(seed)
    possible = np.minimum(np.diff(Y.indptr)[:, None], np.arange(1, 6)) / np.arange(1, 6)
    np.testing.assert_allclose(psp_at_k(Y, S, np.ones(12)), precision_at_k(Y, S) / possible.mean(axis=0))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_only_the_order_of_scores_matters(seed):
    Y, S, p = random_case(seed)
    stretched = S.copy()
    stretched.data = np.exp(3 * S.data)
    assert evaluate(Y, stretched, p) == evaluate(Y, S, p)


# ---- what comes in ---------------------------------------------------------------------------------------------------


def test_every_form_of_input_gives_the_same_and_is_left_alone():
    Y, S, p = random_case(1)
    wanted = evaluate(Y, S, p)
    before = (S.indices.copy(), S.data.copy(), Y.indices.copy())
    for form in (Y.tocsc(), Y.tocoo(), Y.toarray(), Y.toarray().astype(bool), sparse.csr_matrix(Y), Y.astype(np.int8)):
        assert evaluate(form, S, p) == wanted
    for form in (S.tocsc(), S.tocoo(), sparse.csr_matrix(S)):
        assert evaluate(Y, form, p) == wanted
    for now, then in zip((S.indices, S.data, Y.indices), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_label_named_twice_and_stored_zero_in_labels():
    Y = sparse.csr_array((np.array([1.0, 1.0, 0.0]), np.array([2, 2, 0]), np.array([0, 3])), shape=(1, 3))
    assert precision_at_k(Y, csr([[0, 2]], 3, [[1, 2]]), 2).tolist() == [1.0, 0.5]


def test_a_dense_S_predicts_every_label():
    labels, _ = top_k_hits(np.eye(3), np.array([[0, 0, 0], [1, 2, 3], [3, 2, 3]]), 3)
    assert labels.tolist() == [[0, 1, 2], [2, 1, 0], [0, 2, 1]]


Y0, S0 = csr([[0], [1]], 3), csr([[0, 1], [2]], 3, [[1, 2], [3]])
NAN = csr([[0, 1], [2]], 3, [[1, 2], [np.nan]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: precision_at_k(Y0, csr([[0], [1]], 4), 1), r"S: found shape \(2, 4\), wanted .*\(2, 3\)"),
        (lambda: precision_at_k(Y0, csr([[0]], 3), 1), r"S: found shape \(1, 3\)"),
        (lambda: precision_at_k(Y0, np.ones((2, 2)), 1), r"S: found float64 of shape \(2, 2\)"),
        (lambda: precision_at_k(Y0, S0, 0), "k: found 0, wanted a whole number from 1 to .* 3"),
        (lambda: precision_at_k(Y0, S0, 4), "k: found 4"),
        (lambda: precision_at_k(Y0, S0, 2.0), "k: found 2.0"),
        (lambda: precision_at_k(Y0, S0), "k: found 5"),
        (lambda: ndcg_at_k(Y0, NAN, 1), "S: found NaN in row 1, label 2"),
        (lambda: recall_at_k(2 * Y0, S0, 1), "Y_true: found 2.0 in row 0, column 0; wanted only 0 and 1"),
        (lambda: recall_at_k(np.array([[0, np.nan, 0]]), S0, 1), "Y_true: found nan"),
        (lambda: recall_at_k([1, 0, 1], S0, 1), r"Y_true: found int64 of shape \(3,\)"),
        (lambda: recall_at_k(np.array([["a"]]), S0, 1), "Y_true: found <U1"),
        (lambda: evaluate(sparse.csr_array((0, 3)), sparse.csr_array((0, 3)), k=1), "Y_true: found no rows"),
        (lambda: psp_at_k(Y0, S0, np.ones(2), 1), r"propensity: found shape \(2,\), wanted .*\(3,\)"),
        (lambda: psp_at_k(Y0, S0, np.array([1, 0, 1]), 1), "propensity: found 0.0 for label 1"),
        (lambda: psndcg_at_k(Y0, S0, np.array([1, 1, 2]), 1), "propensity: found 2.0 for label 2"),
        (lambda: psndcg_at_k(Y0, S0, np.array([1, np.nan, 1]), 1), "propensity: found nan for label 1"),
        (lambda: propensities(3 * Y0), "Y_train: found 3.0"),
        (lambda: propensities(sparse.csr_array((0, 3))), "Y_train: found no rows"),
        (lambda: propensities(Y0, A=-1), "A: found -1"),
        (lambda: propensities(Y0, B=0), "B: found 0"),
        (lambda: propensities(Y0, B=np.nan), "B: found nan"),
    ],
)
def test_bad_input_gets_one_clear_error(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# ---- propensities ----------------------------------------------------------------------------------------------------


def test_propensities_are_the_formula():
    Y = csr([[0, 1], [0], [0], [0, 1]] * 5, 3)
    C = (math.log(20) - 1) * 2.5**0.55
    wanted = [1 / (1 + C * (N + 1.5) ** -0.55) for N in (20, 10, 0)]
    np.testing.assert_allclose(propensities(Y), wanted)


def test_propensities_of_a_tiny_set_are_one():
    np.testing.assert_array_equal(propensities(csr([[0], [1]], 3)), 1)


# ---- napkinXC --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_equals_napkinxc(seed):
    """Without ties (it breaks them at random), on csr_matrix (it knows no csr_array); it counts a stored 0 too."""
    napkin = pytest.importorskip("napkinxc.metrics", reason="napkinXC is not installed: nothing to compare with")
    Y, S, _ = random_case(seed, n=200, L=30, ties=False)
    Ym, Sm = sparse.csr_matrix(Y), sparse.csr_matrix(S)
    inverse = np.ravel(napkin.Jain_et_al_inverse_propensity(Ym))
    p = propensities(Y)
    np.testing.assert_allclose(1 / p, inverse, rtol=1e-9)
    for ours, theirs in [
        (precision_at_k(Y, S), napkin.precision_at_k(Ym, Sm)),
        (ndcg_at_k(Y, S), napkin.ndcg_at_k(Ym, Sm)),
        (recall_at_k(Y, S), napkin.recall_at_k(Ym, Sm)),
        (coverage_at_k(Y, S), napkin.coverage_at_k(Ym, Sm)),
        (psp_at_k(Y, S, p), napkin.psprecision_at_k(Ym, Sm, inverse)),
        (psndcg_at_k(Y, S, p), napkin.psndcg_at_k(Ym, Sm, inverse)),
    ]:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


# ---- intervals and the paired test -----------------------------------------------------------------------------------


def test_interval_is_near_scipys_and_near_theory():
    x = np.random.default_rng(0).exponential(size=2000)
    ours = bootstrap_interval(x, n_resamples=2000)
    theirs = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=2000, batch=200, rng=1).confidence_interval
    assert ours.value == pytest.approx(x.mean())
    half = 1.96 * x.std() / math.sqrt(2000)
    for low, high in ((theirs.low, theirs.high), (x.mean() - half, x.mean() + half)):
        assert ours.low == pytest.approx(low, abs=half / 5)
        assert ours.high == pytest.approx(high, abs=half / 5)


def test_interval_of_a_ratio_resamples_pairs():
    best = np.random.default_rng(1).uniform(1, 100, 500)
    exact = bootstrap_interval((best / 4, best))
    assert (exact.value, exact.low, exact.high) == pytest.approx((0.25, 0.25, 0.25))
    other = bootstrap_interval((best / 4, np.full(500, best.mean())))
    assert other.high - other.low > 0.01


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        interval = bootstrap_interval(rng.random(100) < 0.3, n_resamples=300, confidence=0.9, random_state=trial)
        covered += interval.low <= 0.3 <= interval.high
    assert 165 <= covered <= 195


def test_paired_test_agrees_with_scipys_permutation_test():
    rng = np.random.default_rng(2)
    a, b = rng.random((2, 60))
    a += 0.05
    ours = paired_test(a, b, n_resamples=4000)
    theirs = stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=4000,
        rng=3,
    )
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.03)
    assert ours.difference == pytest.approx((a - b).mean())
    assert ours.low < ours.difference < ours.high
    assert (ours.n, ours.n_a_better + ours.n_b_better) == (60, 60)


def test_paired_test_is_right_at_the_extremes():
    a = np.random.default_rng(0).random(300)
    assert paired_test(a, a).p_value == 1.0
    assert paired_test(a + 0.1, a).p_value == pytest.approx(1 / 1001)
    mirrored = paired_test(a, a[::-1])
    assert paired_test(a[::-1], a).difference == pytest.approx(-mirrored.difference)


def test_paired_test_rejects_no_more_than_it_should():
    rng = np.random.default_rng(7)
    p_values = [paired_test(*rng.exponential(size=(2, 40)), n_resamples=200).p_value for _ in range(300)]
    assert 3 <= sum(p <= 0.05 for p in p_values) <= 30


def test_paired_test_of_psp_takes_pairs():
    Y, S, p = random_case(0, n=300)
    _, T, _ = random_case(1, n=300)
    a, b = (tuple(part[:, 4] for part in psp_at_k(Y, Z, p, per_instance=True)) for Z in (S, T))
    assert paired_test(a, b).difference == pytest.approx(psp_at_k(Y, S, p)[4] - psp_at_k(Y, T, p)[4])


def test_same_seed_same_interval():
    x = np.random.default_rng(0).random(50)
    assert bootstrap_interval(x, random_state=3) == bootstrap_interval(x, random_state=3)
    assert bootstrap_interval(x, random_state=3) != bootstrap_interval(x, random_state=4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bootstrap_interval(np.ones((3, 5))), r"values: found shapes \(3, 5\)"),
        (lambda: bootstrap_interval([]), "values: found shapes"),
        (lambda: bootstrap_interval([1, np.nan]), "values: found a value that is not finite"),
        (lambda: bootstrap_interval(([1], [1], [1])), "values: found a tuple of 3"),
        (lambda: bootstrap_interval([1, 2], confidence=95), "confidence: found 95"),
        (lambda: bootstrap_interval([1, 2], n_resamples=0), "n_resamples: found 0"),
        (lambda: paired_test([1, 2], [1, 2, 3]), "per_instance_b: found 3 instances, wanted the 2"),
        (lambda: paired_test(([1.0], [2.0]), ([1.0], [3.0])), "per_instance_b: found another `best`"),
    ],
)
def test_bad_statistics_input(call, says):
    with pytest.raises(ValueError, match=says):
        call()
