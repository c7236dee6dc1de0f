from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.warp import WarpDescent, rank_weights

NO_LIMIT = {"constant": 0.0, "max_norm": 1e6, "max_draws": 1000, "seed": 0}


def problem(seed: int = 0) -> tuple[sparse.csr_array, sparse.csr_array, np.ndarray, np.ndarray]:
    """Nine instances; the first has no label, the second all that have a positive, the third no feature."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((9, 7), density=0.5, dtype=np.float32, rng=rng).tolil()
    Y = (rng.random((9, 8)) < 0.4).astype(np.float32)
    Y[0], Y[1], X[2] = 0, 1, 0
    Y[:, 5] = 0  # a label without a positive
    W = rng.standard_normal((8, 3)).astype(np.float32)
    H = rng.standard_normal((8, 3)).astype(np.float32)
    return X.tocsr(), sparse.csr_array(Y), W, H


def xorshift(seed: int) -> Iterator[int]:
    state = (seed * 2685821657736338717 + 88172645463325252) % 2**64
    while True:
        state ^= (state << 13) % 2**64
        state ^= state >> 7
        state ^= (state << 17) % 2**64
        yield state >> 11


def reference(X, Y, W, H, *, rates, constant, max_norm, max_draws, seed):
    """The descent as the module's head states it, dense and in float64, one line for each of its steps."""
    X = np.hstack([X.toarray(), np.full((X.shape[0], 1), constant)]).astype(np.float64)
    Y, W, H = Y.toarray() > 0, W.astype(np.float64), H.astype(np.float64)
    labels = np.flatnonzero(Y.any(axis=0))
    random, order = xorshift(seed), np.arange(len(X))
    squares_W, squares_H = np.zeros(len(W)), np.zeros(len(H))
    figures = []

    def move(rows, squares, r, gradient, rate):
        squares[r] += np.sum(gradient**2)
        rows[r] -= rate * gradient / np.sqrt(squares[r] + 1e-12)
        rows[r] *= min(1.0, max_norm / max(np.linalg.norm(rows[r]), 1e-30))

    for first, last in rates:
        loss = rank_sum = 0.0
        for s in range(len(order) - 1, 0, -1):
            r = next(random) % (s + 1)
            order[s], order[r] = order[r], order[s]
        for step, i in enumerate(order):
            negatives = np.count_nonzero(~Y[i, labels])
            z, c = X[i] @ W, np.zeros(len(H))
            f = H @ z
            for p in np.flatnonzero(Y[i]) if negatives else []:
                for draw in range(1, min(negatives, max_draws) + 1):
                    while Y[i, q := labels[next(random) % len(labels)]]:
                        pass
                    if 1 - f[p] + f[q] > 0:
                        rank = negatives // draw
                        weight = sum(1 / j for j in range(1, rank + 1))
                        loss, rank_sum = loss + weight * (1 - f[p] + f[q]), rank_sum + rank
                        c[p], c[q] = c[p] + weight, c[q] - weight
                        break
            if not c.any():
                continue
            rate, g = first + (last - first) * step / len(order), -c @ H
            for label in np.flatnonzero(c):
                move(H, squares_H, label, -c[label] * z, rate)
            for j in np.flatnonzero(X[i]):
                move(W, squares_W, j, X[i, j] * g, rate)
        figures.append((loss / Y.sum(), rank_sum / Y.sum()))
    return W, H, figures


@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize(("max_norm", "max_draws"), [(1e6, 1000), (1.5, 1000), (1e6, 2)])
def test_steps_agree_with_numpy(constant: float, max_norm: float, max_draws: int) -> None:
    rates = [(0.5, 0.3), (0.3, 0.0)]
    for seed in range(5):
        X, Y, W, H = problem(seed)
        options = {"constant": constant, "max_norm": max_norm, "max_draws": max_draws, "seed": seed}
        expected_W, expected_H, expected = reference(X, Y, W, H, rates=rates, **options)
        descent = WarpDescent(X, Y, W, H, **options)
        figures = [descent.run_epoch(*rate) for rate in rates]
        np.testing.assert_allclose(W, expected_W, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(H, expected_H, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(figures, expected, rtol=1e-3)


def test_coefficients_are_the_gradient_of_the_loss() -> None:
    """One instance, one violator: the first step of AdaGrad is the gradient over its length."""
    X, Y = sparse.csr_array(np.array([[0.6, 0.8]], dtype=np.float32)), sparse.csr_array([[1.0, 0.0]])
    X, Y = sparse.vstack([X, X * 0]).tocsr(), sparse.vstack([Y, [[0.0, 1.0]]]).tocsr()
    W, H = (np.random.default_rng(4).standard_normal((rows, 3)).astype(np.float32) * 0.1 for rows in (3, 2))

    def loss(W: np.ndarray, H: np.ndarray) -> float:
        z = np.array([0.6, 0.8]) @ W[:2]
        return 1 - z @ H[0] + z @ H[1]  # positive here; Lambda(1) = 1

    before = W.astype(np.float64), H.astype(np.float64)
    WarpDescent(X, Y, W, H, **NO_LIMIT).run_epoch(0.01, 0.01)
    for at, (old, new) in enumerate(zip(before, (W, H), strict=True)):
        for r in range(2):
            gradient = np.zeros(3)
            for t in range(3):
                shifted = [before[0].copy(), before[1].copy()]
                shifted[at][r, t] += 1e-6
                gradient[t] = (loss(*shifted) - loss(*before)) / 1e-6
            np.testing.assert_allclose(new[r] - old[r], -0.01 * gradient / np.linalg.norm(gradient), rtol=1e-3)


def test_rank_weights_against_the_sum() -> None:
    weights = rank_weights(50)
    assert weights[0] == 0
    for rank in (1, 2, 7, 50):
        assert weights[rank] == pytest.approx(sum(1 / j for j in range(1, rank + 1)))


def test_where_all_negatives_violate_the_first_draw_says_so() -> None:
    X, Y, W, H = problem()
    H[:] = 0  # all scores are equal, so each negative violates the margin by 1
    loss, rank = WarpDescent(X, Y, W, H, **NO_LIMIT).run_epoch(1e-9, 1e-9)
    n_positives = np.diff(Y.indptr)
    negatives = np.repeat(7 - n_positives, n_positives)
    assert rank == pytest.approx(negatives.mean())
    assert loss == pytest.approx(rank_weights(7)[negatives].mean(), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_no_label_of_the_instance_is_drawn_as_its_negative(seed: int) -> None:
    """Nine of ten labels are positives, so only the tenth can be drawn, and each hinge is known."""
    rng = np.random.default_rng(seed)
    X = sparse.csr_array(np.array([[0.6, 0.8], [0, 0]], dtype=np.float32))  # the second instance has z = 0
    Y = sparse.csr_array(np.array([[1.0] * 9 + [0.0], [0.0] * 9 + [1.0]]))
    W, H = (rng.standard_normal((rows, 4)).astype(np.float32) for rows in (3, 10))
    z, start = X.toarray()[0] @ W[:2], H.copy()
    hinges = np.maximum(0, 1 - H[:9] @ z + H[9] @ z)
    loss, _ = WarpDescent(X, Y, W, H, **NO_LIMIT | {"seed": seed}).run_epoch(1e-3, 1e-3)
    # with z = 0 all nine negatives of the second instance violate by 1
    assert loss * 10 == pytest.approx(hinges.sum() + rank_weights(9)[9], rel=1e-4)
    rise = (H - start) @ z
    assert np.all(rise[:9][hinges > 0] > 0)
    assert np.all(rise[:9][hinges == 0] == 0)
    assert rise[9] < 0


def test_a_label_without_positives_is_not_touched() -> None:
    X, Y, W, H = problem()
    start = H.copy()
    descent = WarpDescent(X, Y, W, H, **NO_LIMIT)
    for _ in range(20):
        descent.run_epoch(0.5, 0.5)
    assert np.array_equal(H[5], start[5])
    assert not np.any(np.all(np.delete(start == H, 5, axis=0), axis=1)), "all others were"


@pytest.mark.parametrize("filled", [0.0, 1.0])
def test_instances_with_all_labels_or_none_take_no_step(filled: float) -> None:
    X, _, W, H = problem()
    start_W, start_H = W.copy(), H.copy()
    Y = sparse.csr_array(np.full((9, 8), filled))
    assert WarpDescent(X, Y, W, H, **NO_LIMIT).run_epoch(1.0, 1.0) == (0.0, 0.0)
    assert np.array_equal(W, start_W)
    assert np.array_equal(H, start_H)


def test_positives_beyond_the_margin_take_no_step() -> None:
    X = sparse.eye_array(3, format="csr", dtype=np.float32)
    W, H = np.vstack([np.eye(3), np.zeros(3)]).astype(np.float32), 1.1 * np.eye(3, dtype=np.float32)
    start_W, start_H = W.copy(), H.copy()
    assert WarpDescent(X, sparse.eye_array(3, format="csr"), W, H, **NO_LIMIT).run_epoch(1.0, 1.0) == (0.0, 0.0)
    assert np.array_equal(W, start_W)
    assert np.array_equal(H, start_H)


@pytest.mark.parametrize("seed", [0, 2**31 - 2])
def test_any_seed_gives_another_descent_and_the_same_again(seed: int) -> None:
    ends = []
    for one in (seed, seed, seed + 1):
        X, Y, W, H = problem()
        WarpDescent(X, Y, W, H, **NO_LIMIT | {"seed": one}).run_epoch(0.5, 0.0)
        ends.append(H)
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_shapes_that_do_not_fit_are_refused() -> None:
    X, Y, W, H = problem()
    for wrong in ((X, Y, W[:-1], H), (X, Y, W, H[:-1]), (X, Y, W, H[:, :-1].copy()), (X[:-1], Y, W, H)):
        with pytest.raises(ValueError, match="which do not fit together"):
            WarpDescent(*wrong, **NO_LIMIT)
