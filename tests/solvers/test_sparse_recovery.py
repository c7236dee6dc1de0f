from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from xmlwb.solvers import measurement
from xmlwb.solvers.measurement import MATRICES, PartialHadamard, measurement_from_arrays, measurement_matrix
from xmlwb.solvers.sparse_recovery import DECODERS, recovery_trace
from xmlwb.solvers.supports import as_csr, decode_rows, largest, least_squares

SOLVING = [decoder for decoder in DECODERS if decoder != "correlation"]  # they fit values, and do not only compare


def planted(n: int, L: int, s: int, seed: int, *, signed: bool = True) -> np.ndarray:
    """Rows of s non-zero entries of magnitude 0.5 to 2."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n, L), dtype=np.float32)
    for i in range(n):
        Y[i, rng.choice(L, s, replace=False)] = rng.uniform(0.5, 2, s) * (rng.choice([-1, 1], s) if signed else 1)
    return Y


def dense(labels: np.ndarray, values: np.ndarray, L: int) -> np.ndarray:
    return as_csr(labels, values, L).toarray()


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 100_000),
    s=st.integers(1, 3),
    L=st.integers(120, 200),
    kind=st.sampled_from(sorted(MATRICES)),
    decoder=st.sampled_from(SOLVING),
)
def test_sparse_vectors_are_recovered_exactly(seed: int, s: int, L: int, kind: str, decoder: str) -> None:
    A = measurement_matrix(kind, 100, L, seed)  # with 60, OMP misses one row of some ten thousand
    Y = planted(3, L, s, seed)
    labels, values = DECODERS[decoder](A.measure(Y), A, s)
    found = dense(labels, values, L)
    np.testing.assert_array_equal(found != 0, Y != 0)
    np.testing.assert_allclose(found, Y, atol=2e-3)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 100_000), s=st.integers(1, 5), decoder=st.sampled_from(sorted(DECODERS)))
def test_orthonormal_columns_are_recovered_by_every_decoder(seed: int, s: int, decoder: str) -> None:
    A = PartialHadamard(64, 50, seed)
    Y = planted(3, 50, s, seed)
    labels, values = DECODERS[decoder](A.measure(Y), A, s)
    np.testing.assert_allclose(dense(labels, values, 50), Y, atol=1e-4)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 100_000), kind=st.sampled_from(sorted(MATRICES)))
def test_correlation_finds_equal_entries_and_a_refit_their_values(seed: int, kind: str) -> None:
    A = measurement_matrix(kind, 500 if kind != "hadamard" else 120, 100, seed)
    Y = (planted(3, 100, 2, seed) != 0).astype(np.float32)
    for refit in (False, True):
        labels, values = DECODERS["correlation"](A.measure(Y), A, 2, refit=refit)
        np.testing.assert_array_equal(dense(labels, values, 100) != 0, Y != 0)
    np.testing.assert_allclose(dense(labels, values, 100), Y, atol=1e-4)


@pytest.mark.parametrize("decoder", SOLVING)
def test_a_larger_sparsity_than_needed_adds_nothing_that_counts(decoder: str) -> None:
    A = measurement_matrix("gaussian", 60, 100, 0)
    Y = planted(10, 100, 3, 0)
    labels, values = DECODERS[decoder](A.measure(Y), A, 6)
    np.testing.assert_allclose(dense(labels, values, 100), Y, atol=2e-3)
    if decoder == "omp":
        assert (np.sum(labels >= 0, axis=1) == 3).all()


@pytest.mark.parametrize("decoder", DECODERS)
class TestEveryDecoder:
    def test_form_of_the_answer(self, decoder: str) -> None:
        A = measurement_matrix("bernoulli", 30, 80, 0)
        Z = np.random.default_rng(0).standard_normal((40, 30)).astype(np.float32)
        labels, values = DECODERS[decoder](Z, A, 7)
        assert labels.shape == values.shape == (40, 7)
        assert (labels.dtype, values.dtype) == (np.int32, np.float32)
        for row, entries in zip(labels, values, strict=True):
            size = int(np.sum(row >= 0))
            assert (row[size:] == -1).all()
            assert (entries[size:] == 0).all()
            assert len(set(row[:size].tolist())) == size
            assert (np.diff(entries[:size]) <= 0).all()
            assert (entries[:size] != 0).all()

    def test_a_batch_is_its_rows(self, decoder: str) -> None:
        A = measurement_matrix("gaussian", 40, 90, 1)
        Z = A.measure(planted(30, 90, 4, 1)) + 0.01 * np.random.default_rng(1).standard_normal((30, 40))
        labels, values = DECODERS[decoder](Z, A, 4)
        for i in range(30):
            one_labels, one_values = DECODERS[decoder](Z[i : i + 1], A, 4)
            np.testing.assert_array_equal(one_labels[0], labels[i])
            np.testing.assert_allclose(one_values[0], values[i], atol=2e-3)

    def test_threads_do_not_matter(self, decoder: str) -> None:
        A = measurement_matrix("hadamard", 40, 90, 1)
        Z = np.random.default_rng(2).standard_normal((700, 40)).astype(np.float32)
        alone = DECODERS[decoder](Z, A, 4)
        for n_jobs in (2, 3):
            for found, expected in zip(DECODERS[decoder](Z, A, 4, n_jobs=n_jobs), alone, strict=True):
                np.testing.assert_array_equal(found, expected)

    def test_nothing_measured_nothing_found(self, decoder: str) -> None:
        A = measurement_matrix("gaussian", 20, 30, 0)
        Z = np.zeros((3, 20), dtype=np.float32)
        Z[1] = A.columns(np.array([7]))[:, 0]
        labels, values = DECODERS[decoder](Z, A, 2)
        assert labels[[0, 2]].tolist() == [[-1, -1]] * 2
        assert not values[[0, 2]].any()
        assert labels[1, 0] == 7
        assert values[1, 0] == pytest.approx(float(np.sum(Z[1] ** 2)) if decoder == "correlation" else 1, abs=1e-3)

    def test_no_rows(self, decoder: str) -> None:
        labels, values = DECODERS[decoder](np.zeros((0, 20)), measurement_matrix("gaussian", 20, 30, 0), 2)
        assert labels.shape == values.shape == (0, 2)

    def test_bad_arguments_are_refused(self, decoder: str) -> None:
        A = measurement_matrix("gaussian", 20, 30, 0)
        Z = np.zeros((2, 20))
        with pytest.raises(ValueError, match=r"Z has shape \(2, 19\); wanted \(n, 20\)"):
            DECODERS[decoder](Z[:, :19], A, 2)
        with pytest.raises(ValueError, match="Z contains NaN or infinity"):
            DECODERS[decoder](np.where(Z == 0, np.nan, Z), A, 2)
        most = 30 if decoder == "correlation" else 20
        for sparsity in (0, most + 1):
            with pytest.raises(
                ValueError, match=rf"sparsity is {sparsity}; wanted 1 <= sparsity <= {most} \(20 measurements, 30"
            ):
                DECODERS[decoder](Z, A, sparsity)
        DECODERS[decoder](Z, A, most)

    def test_as_many_labels_as_measurements_explain_everything(self, decoder: str) -> None:
        A = measurement_matrix("gaussian", 8, 12, 0)
        Z = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)
        labels, values = DECODERS[decoder](Z, A, 8)
        assert np.isfinite(values).all()
        if decoder in ("omp", "cosamp"):
            np.testing.assert_allclose(A.measure(dense(labels, values, 12)), Z, atol=5e-2)

    def test_twin_columns_do_no_harm(self, decoder: str) -> None:
        atoms = np.random.default_rng(0).standard_normal((10, 6)).astype(np.float32)
        atoms[5:] = atoms[:5]  # labels 5..9 cannot be told from 0..4
        A = measurement_from_arrays(atoms, 10)
        Z = np.random.default_rng(1).standard_normal((20, 6)).astype(np.float32)
        _, values = DECODERS[decoder](Z, A, 6)
        assert np.isfinite(values).all()
        assert np.abs(values).max() < 1e3

    def test_without_the_gram_matrix_the_answer_is_the_same(self, decoder: str, monkeypatch) -> None:
        for kind in MATRICES:
            A = measurement_matrix(kind, 40, 90, 1)
            Z = A.measure(planted(30, 90, 3, 1))
            kept = DECODERS[decoder](Z, A, 3)
            with monkeypatch.context() as patch:
                patch.setattr(measurement, "GRAM_LABELS", 10)
                on_demand = DECODERS[decoder](Z, A, 3)
            np.testing.assert_array_equal(on_demand[0], kept[0])
            np.testing.assert_allclose(on_demand[1], kept[1], atol=1e-3)

    def test_a_trace_ends_where_the_decoder_does(self, decoder: str) -> None:
        A = measurement_matrix("gaussian", 60, 90, 1)
        y = planted(1, 90, 4, 5)
        steps = recovery_trace(decoder, A.measure(y)[0], A, 4)
        assert set(steps[-1].labels.tolist()) == set(np.flatnonzero(y[0]).tolist())
        recovered = np.zeros(90, dtype=np.float32)
        recovered[steps[-1].labels] = steps[-1].values
        assert steps[-1].residual == pytest.approx(float(np.linalg.norm(A.measure(y - recovered))), abs=1e-4)
        if decoder in ("omp", "cosamp", "iht"):
            residuals = [step.residual for step in steps]
            assert residuals == sorted(residuals, reverse=True)
            assert residuals[-1] < 1e-3


def test_decodes_that_overlap_leave_blas_its_threads() -> None:
    A = measurement_matrix("gaussian", 5, 9, 0)
    Z = np.ones((1, 5), dtype=np.float32)
    empty = np.full((1, 2), -1, dtype=np.int32), np.zeros((1, 2), dtype=np.float32)
    second_inside, first_out = threading.Event(), threading.Event()
    seen: list[int] = []

    def first(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert second_inside.wait(30)
        return empty

    def second(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        second_inside.set()
        assert first_out.wait(30)
        seen.append(min(blas_threads()))  # numpy's own; scipy may have loaded another one since
        return empty

    limits = in_a_thread(lambda: threadpool_limits(2, user_api="blas"))  # also where there is one core
    try:
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(decode_rows, first, Z, A, 2, 1)
            two = pool.submit(decode_rows, second, Z, A, 2, 1)
            one.result()
            first_out.set()
            two.result()
        assert seen == [1], "wanted one thread as long as any decode runs"
        assert blas_threads() == {2}
    finally:
        in_a_thread(limits.restore_original_limits)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def in_a_thread(call: Callable[[], Any]) -> Any:
    """In a thread that ends: threadpoolctl lets no other thread set limits while the last to do so lives."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_omp_against_a_textbook_loop() -> None:
    rng = np.random.default_rng(4)
    A = measurement_matrix("gaussian", 30, 70, 4)
    Z = rng.standard_normal((12, 30)).astype(np.float32)
    labels, values = DECODERS["omp"](Z, A, 9)
    D = A.toarray().astype(np.float64)
    for i in range(12):
        support: list[int] = []
        residual = Z[i].astype(np.float64)
        for _ in range(9):
            support.append(int(np.argmax(np.abs(D.T @ residual))))
            fitted = np.linalg.lstsq(D[:, support], Z[i], rcond=None)[0]
            residual = Z[i] - D[:, support] @ fitted
        order = np.argsort(-fitted)
        assert labels[i].tolist() == np.array(support)[order].tolist()
        np.testing.assert_allclose(values[i], fitted[order], atol=1e-4)


def test_omp_traces_its_labels_in_order_of_selection() -> None:
    A = PartialHadamard(64, 64, 0)
    y = np.zeros((1, 64), dtype=np.float32)
    y[0, [3, 9, 27]] = -3, 2, 1
    steps = recovery_trace("omp", A.measure(y)[0], A, 3)
    assert [step.labels.tolist() for step in steps] == [[3], [3, 9], [3, 9, 27]]
    np.testing.assert_allclose([step.residual for step in steps], [np.sqrt(5), 1, 0], atol=1e-4)


def test_nonnegative_omp_takes_no_label_for_its_negative_correlation() -> None:
    A = PartialHadamard(64, 64, 0)
    y = np.zeros((1, 64), dtype=np.float32)
    y[0, [3, 9, 27]] = -3, 2, 1
    labels, values = DECODERS["omp"](A.measure(y), A, 3, nonnegative=True)
    assert labels.tolist() == [[9, 27, -1]]
    np.testing.assert_allclose(values, [[2, 1, 0]], atol=1e-5)


def test_fista_minimises_the_lasso() -> None:
    rng = np.random.default_rng(0)
    A = measurement_matrix("gaussian", 20, 40, 0)
    z = rng.standard_normal((1, 20)).astype(np.float32)
    labels, values = DECODERS["fista"](z, A, alpha=0.2, n_iter=2000, tol=1e-7, refit=False, sparsity=40)
    y = dense(labels, values, 40)
    of_residual = A.correlate(z - A.measure(y))[0]
    penalty = 0.2 * np.abs(A.correlate(z)).max()
    chosen = y[0] != 0
    assert 0 < chosen.sum() < 20
    np.testing.assert_allclose(of_residual[chosen], penalty * np.sign(y[0, chosen]), atol=1e-3)  # optimality conditions
    assert (np.abs(of_residual[~chosen]) <= penalty + 1e-3).all()


@pytest.mark.parametrize("alpha", [0, 1, -0.5])
def test_a_penalty_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="wanted 0 < alpha < 1"):
        DECODERS["fista"](np.ones((1, 5)), measurement_matrix("gaussian", 5, 9), 2, alpha=alpha)


def test_largest_by_magnitude_ties_by_the_lower_label() -> None:
    labels, values = largest(np.array([[0, -2, 2, 1], [0, 0, 0, 0]], dtype=np.float32), 3)
    assert labels.tolist() == [[1, 2, 3], [-1, -1, -1]]
    assert values.tolist() == [[-2, 2, 1], [0, 0, 0]]


def test_least_squares_on_a_support_with_holes_and_a_twin() -> None:
    atoms = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)
    atoms[3] = atoms[1]
    A = measurement_from_arrays(atoms, 5)
    z = (2 * atoms[1] - atoms[4])[None, :]
    values = least_squares(A, A.correlate(z), np.array([[1, -1, 3, 4]], dtype=np.int32))
    np.testing.assert_allclose(values, [[2, 0, 0, -1]], atol=1e-4)


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="decoder is 'magic'; wanted one of 'omp'"):
        recovery_trace("magic", np.zeros(5), measurement_matrix("gaussian", 5, 9), 2)
