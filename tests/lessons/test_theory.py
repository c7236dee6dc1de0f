"""Theorems 2.1 and B.1: the construction has what they promise, and the formulas are those of the proofs."""

from __future__ import annotations

from itertools import product
from math import ceil, log, sqrt

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons import theory
from xmlwb.solvers.label_affinity import affinity


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def labels_of(n: int, K: int, share: float, seed: int = 0) -> csr_array:
    Y = rng(seed).random((n, K)) < share
    Y[np.arange(n), rng(seed + 1).integers(K, size=n)] = True
    return csr_array(Y.astype(np.float32))


def test_signs_are_fair_coins_on_the_sphere() -> None:
    V = theory.random_signs(400, 96, rng())
    assert np.unique(np.abs(V)) == pytest.approx([1 / sqrt(96)])
    assert abs(np.sign(V).mean()) < 4 / sqrt(V.size)
    assert not np.array_equal(V, theory.random_signs(400, 96, rng(1)))


def test_label_sets_have_s_different_labels() -> None:
    labels = theory.random_label_sets(50, 4, 6, rng())
    assert all(len(set(row)) == 4 for row in labels.tolist())
    with pytest.raises(ValueError, match="s: found 7, wanted 1 to 6"):
        theory.random_label_sets(1, 7, 6, rng())


@pytest.mark.parametrize(("s", "n", "K"), list(product((1, 3), (40,), (50, 300))))
def test_the_dimension_with_all_labels_keeps_every_promise_of_theorem_2_1(s: int, n: int, K: int) -> None:
    d = theory.proof_dimension(s, n, K)
    for seed in range(3):
        V = theory.random_signs(K, d, rng(seed))
        trial = theory.perfect_accuracy(V, theory.random_label_sets(n, s, K, rng(seed + 10)))
        assert trial.promised == trial.perfect == trial.ranked == 1  # items 3 and 4
        assert np.linalg.norm(V, axis=1) == pytest.approx(1, abs=1e-5)  # item 2
        bound = sqrt(2 * log(4 * K**2) / d)
        inner = V @ V.T - np.eye(K)
        assert np.abs(inner).max() <= bound  # item 5
        assert (trial.lengths**2 <= s + s * (s - 1) * bound + 1e-4).all()  # item 6, as in the proof's last line


def test_the_proof_s_own_dimension_leaves_out_the_labels_and_breaks_items_3_and_4() -> None:
    s, n, K = 5, 64, 5_000
    short, long = (theory.proof_dimension(s, n, K, all_labels=flag) for flag in (False, True))
    assert short == ceil(18 * s * log(4 * n))
    assert long == ceil(18 * s * log(4 * n * K))
    labels = theory.random_label_sets(n, s, K, rng())
    missed, kept = (theory.perfect_accuracy(theory.random_signs(K, d, rng(1)), labels) for d in (short, long))
    assert missed.promised < 0.5
    assert missed.irrelevant.max() > theory.IRRELEVANT
    assert kept.promised == 1


def test_few_sets_are_counted_once() -> None:
    assert theory.proof_dimension(1, 10**9, 50) == ceil(18 * log(4 * 50 * 50))


def test_scores_are_the_inner_products_and_the_label_s_own_are_not_among_the_others() -> None:
    V = theory.random_signs(30, 16, rng())
    labels = theory.random_label_sets(5, 3, 30, rng(1))
    trial = theory.perfect_accuracy(V, labels)
    for i in range(5):
        scores = V @ V[labels[i]].sum(axis=0)
        others = np.setdiff1d(np.arange(30), labels[i])
        assert trial.relevant[i] == pytest.approx(scores[labels[i]])
        assert trial.irrelevant[i] == pytest.approx(scores[others].max())
    assert len(trial.sample) == 5 * 27


def test_the_curve_s_draws_are_draws_of_the_construction_and_normal_expectation_fits_them() -> None:
    trials = theory.accuracy_by_dimension(3, 2_000, (16, 64, 128, 256), n=400)
    assert [trial.d for trial in trials] == [16, 64, 128, 256]
    for trial in trials:
        expected = theory.expected_accuracy(trial.d, 3, 2_000)
        assert trial.perfect == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / 400) + 0.03)
        assert trial.relevant.std() == pytest.approx(sqrt(2 / trial.d), rel=0.15)  # 1 and two inner products
        assert trial.lengths == pytest.approx(sqrt(3), rel=0.6)
    assert theory.expected_accuracy(8, 1, 1) == 1


def test_the_best_place_is_right_where_the_sum_is_not() -> None:
    K, d, s = 3_000, 48, 4
    V, labels = theory.random_signs(K, d, rng()), theory.random_label_sets(24, s, K, rng(1))
    phi, right = theory.fitted_places(V, labels, steps=300)
    by_sum, by_best = theory.perfect_accuracy(V, labels), theory.perfect_accuracy(V, labels, phi)
    assert by_best.ranked == right.mean() > by_sum.ranked + 0.5
    unmoved, at_once = theory.fitted_places(V, labels, steps=1)
    assert np.array_equal(unmoved, theory.label_sums(V, labels))
    assert at_once.mean() == by_sum.ranked


def test_what_cannot_be_separated_is_not_called_right() -> None:
    V = np.array([[1.0, 0], [0, 1], [0.5, 0.5]], dtype=np.float32)  # the third lies between the other two
    _, right = theory.fitted_places(V, np.array([[0, 1]]), steps=50)
    assert not right.any()


def test_geometric_means_are_cosines_of_columns() -> None:
    Y = labels_of(40, 9, 0.2)
    Y = csr_array(np.hstack([Y.toarray(), np.zeros((40, 1))]))
    dense = Y.toarray()
    A = dense.T @ dense
    for y, other in product(range(9), repeat=2):
        given = A[y, other] / A[other, other], A[y, other] / A[y, y]
        assert theory.geometric_mean(Y).toarray()[y, other] == pytest.approx(sqrt(given[0] * given[1]))
    assert theory.geometric_mean(Y).toarray() == pytest.approx(affinity(Y, "geometric").toarray(), abs=1e-6)
    assert (theory.geometric_mean(Y).toarray()[9] == 0).all()


def test_theorem_b1_holds_for_rare_labels_and_breaks_for_frequent_ones() -> None:
    n, K = 60, 120
    rare = csr_array((np.ones(2 * K), (rng().integers(n, size=2 * K), np.tile(np.arange(K), 2))), shape=(n, K))
    rare.sum_duplicates()
    rare.data[:] = 1
    found = theory.johnson_lindenstrauss(rare, 800, rng(1))
    assert found.epsilon == pytest.approx(1 / (2 * sqrt(2)))
    assert found.largest_error < found.epsilon  # item 6
    assert found.perfect == 1  # items 4 and 5
    assert np.linalg.norm(found.phi, axis=1).max() < 1 + found.epsilon  # items 2 and 3
    assert np.linalg.norm(found.V, axis=1).max() < 1 + found.epsilon
    error = found.V @ found.V.T - theory.geometric_mean(rare).toarray()
    assert found.largest_error == pytest.approx(np.abs(error).max())  # of a label with itself too
    few = theory.johnson_lindenstrauss(rare, 8, rng(1))
    assert few.perfect < 0.5
    frequent = theory.johnson_lindenstrauss(csr_array(np.hstack([rare.toarray(), np.ones((n, 1))])), 800, rng(1))
    assert frequent.epsilon < 0.07
    assert frequent.perfect < 0.5


def test_theorem_b1_needs_a_label_that_occurs() -> None:
    with pytest.raises(ValueError, match="Y has no positives"):
        theory.johnson_lindenstrauss(csr_array((4, 3)), 8, rng())


def test_a_hub_has_room_for_four_strangers() -> None:
    def hub(children: int) -> np.ndarray:
        U = np.eye(children + 1)
        U[0, 1:] = U[1:, 0] = 0.5
        return U

    assert theory.smallest_eigenvalue(hub(4)) == pytest.approx(0, abs=1e-12)
    assert theory.smallest_eigenvalue(hub(5)) == pytest.approx(1 - sqrt(5) / 2)
