"""Chapter 03's studies on cases whose outcome is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons import recovery_study
from xmlwb.lessons.checking import exercise
from xmlwb.lessons.decoder_race import DecoderRace, Pursuit, documents_by_size
from xmlwb.lessons.exercises import judge
from xmlwb.lessons.label_sparsity import (
    best_labels,
    decode_codes,
    effective_sparsity,
    held_out,
    label_signal,
    precision_by_m,
    recall_below_noise,
    recall_by_frequency,
    recovered_by_m,
    sparsity_correlations,
    sparsity_table,
    sparsity_test,
)
from xmlwb.lessons.matrix_geometry import (
    coherence,
    coherence_table,
    cosines,
    guaranteed_sparsity,
    isometry_sample,
    welch_bound,
)
from xmlwb.lessons.recovery_exercises import breaking_m
from xmlwb.lessons.recovery_study import (
    DECODER_TITLES,
    PhaseStudy,
    crossings,
    documents_to_break,
    fit_bound,
    form_table,
    order,
    order_of_all,
    random_label_vectors,
    recover_labels,
    whole,
)
from xmlwb.solvers.measurement import measurement_matrix
from xmlwb.solvers.sparse_recovery import DECODERS

DECODER_KEYS = sorted(DECODER_TITLES)


def test_every_decoder_of_the_library_is_in_the_chapter() -> None:
    assert set(DECODER_TITLES) == set(DECODERS)


def test_random_label_vectors_have_s_ones_each_and_differ() -> None:
    Y = random_label_vectors(50, 30, 4, [0, 1])
    assert Y.shape == (50, 30)
    assert set(np.diff(Y.indptr)) == {4}
    assert (Y.data == 1).all()
    assert len(np.unique(Y.toarray(), axis=0)) > 45
    assert np.array_equal(Y.indices, random_label_vectors(50, 30, 4, [0, 1]).indices)


@pytest.mark.parametrize("decoder", DECODER_KEYS)
def test_labels_come_back_from_enough_measurements(decoder: str) -> None:
    Y = csr_array(np.vstack([random_label_vectors(10, 64, s, s).toarray() for s in (1, 2, 3)] + [np.zeros((1, 64))]))
    decoded = recover_labels(Y, measurement_matrix("hadamard", 64, 64), decoder)
    assert whole(Y, decoded).all()


def test_few_measurements_break_long_label_sets_first() -> None:
    A = measurement_matrix("gaussian", 24, 200)
    shares = [whole(Y, recover_labels(Y, A)).mean() for Y in (random_label_vectors(60, 200, s, 7) for s in (1, 4, 12))]
    assert shares[0] > 0.9 > shares[1] > shares[2]


def test_more_labels_than_measurements_are_cut_not_refused() -> None:
    Y = random_label_vectors(3, 20, 8)
    assert set(np.diff(recover_labels(Y, measurement_matrix("gaussian", 5, 20)).indptr)) == {5}


def test_whole_counts_missing_and_wrong_labels() -> None:
    Y = csr_array(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=np.float32))
    D = csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=np.float32))
    assert whole(Y, D).tolist() == [False, False, True, True]


def test_phase_study_is_the_same_twice_and_falls_with_s() -> None:
    study = PhaseStudy(100, measurements=(10, 40), sparsities=(1, 6), trials=30)
    assert study.shape == (2, 2)
    cells = {(r, c): study.cell("omp", r, c) for r in range(2) for c in range(2)}
    assert cells[0, 0] == study.cell("omp", 0, 0)
    assert cells[1, 0] == 1
    assert cells[0, 1] < 0.2 < cells[1, 1]


def test_crossings_skip_what_is_unknown() -> None:
    values = np.array([[0.0, 0.9, np.nan], [np.nan, 1.0, np.nan], [1.0, 1.0, np.nan]])
    np.testing.assert_allclose(crossings(values, [10, 20, 30]), [20, np.nan, np.nan])


def test_fit_bound_needs_two_points_and_says_how_far_off_it_is() -> None:
    assert fit_bound([1, 2], np.array([5.0, np.nan]), 100) is None
    m = 2 * order([1, 2, 4], 100) * np.array([1, 1, 1.1])
    fit = fit_bound([1, 2, 4], m, 100)
    assert fit is not None
    assert 2 < fit.constant < 2.2
    assert 0.03 < fit.largest_error < 0.11
    assert fit([3])[0] == pytest.approx(fit.constant * 3 * np.log(100 / 3))


def test_the_form_that_made_the_points_fits_them_and_the_other_does_not() -> None:
    s = [1, 2, 4, 8, 16]
    table = form_table({"omp": 1.1 * order_of_all(s, 571), "iht": 1.5 * order(s, 571)}, s, 571)
    assert table.index.tolist() == ["OMP", "IHT"]
    assert table.loc["OMP", ["m / (s ln L)", "off s ln L by"]].tolist() == pytest.approx([1.1, 0])
    assert table.loc["OMP", "off s ln(L/s) by"] > 1
    assert table.loc["IHT", ["m / (s ln(L/s))", "off s ln(L/s) by"]].tolist() == pytest.approx([1.5, 0])
    assert table.loc["IHT", "off s ln L by"] > 1
    assert form_table({"omp": np.full(5, np.nan)}, s, 571).empty


def test_hard_documents_without_delicious_are_long_ones_of_debtags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery_study, "sets_at_hand", lambda names: [])
    what, Y = documents_to_break(20)
    assert "debtags" in what
    assert "XMLWB_DATA" in what
    assert Y.shape == (20, 571)
    assert np.diff(Y.indptr).min() >= 8


def test_hard_documents_are_those_of_delicious_where_it_is(
    monkeypatch: pytest.MonkeyPatch, small_dataset: Dataset
) -> None:
    monkeypatch.setattr(recovery_study, "sets_at_hand", lambda names: [small_dataset])
    what, Y = documents_to_break(20)
    assert "delicious" in what
    assert np.array_equal(Y.indices, small_dataset.Y_train[:20].indices)


def test_breaking_m_refuses_sizes_that_are_all_too_small() -> None:
    Y = random_label_vectors(4, 10, 2)
    with pytest.raises(ValueError, match="fewer than half"):
        breaking_m(Y, [1, 2], lambda Y, m: csr_array(Y.shape))
    assert breaking_m(Y, [3, 5], lambda Y, m: Y) == 3


def test_coherence_of_orthogonal_and_of_equal_columns() -> None:
    assert coherence(cosines(measurement_matrix("hadamard", 16, 16))) == pytest.approx(0, abs=1e-6)
    one = cosines(measurement_matrix("bernoulli", 1, 5))
    assert coherence(one) == pytest.approx(1)


def test_no_matrix_beats_the_welch_bound() -> None:
    table = coherence_table(60, [10, 30], ["gaussian", "bernoulli", "hadamard"])
    for kind in ("gaussian", "bernoulli", "hadamard"):
        assert (table[kind] >= table["none below"] - 1e-6).all()
    assert (table["at most s"] >= table["guarantees s"]).all()
    assert table["at most s"].tolist() == [guaranteed_sparsity(welch_bound(m, 60)) for m in (10, 30)]
    assert welch_bound(60, 60) == 0
    assert table["guarantees s"].tolist() == [
        guaranteed_sparsity(row.min()) for _, row in table[["gaussian", "bernoulli", "hadamard"]].iterrows()
    ]


def test_what_coherence_guarantees_happens() -> None:
    A = measurement_matrix("hadamard", 200, 200)
    s = guaranteed_sparsity(coherence(cosines(A)))
    assert s >= 2
    Y = random_label_vectors(200, 200, s)
    assert whole(Y, recover_labels(Y, A)).all()


def test_isometry_of_an_orthonormal_matrix_is_exact_and_worse_for_larger_supports() -> None:
    Y = random_label_vectors(40, 64, 3)
    exact = isometry_sample(64, [64], 4, Y, kind="hadamard", n_supports=20).loc[64]
    assert exact["low"] == pytest.approx(1, abs=1e-5)
    assert exact["delta"] == pytest.approx(0, abs=1e-5)
    small, large = (isometry_sample(64, [30], size, Y, n_supports=50)["delta"].item() for size in (2, 10))
    assert small < large


def test_effective_sparsity_of_sparse_and_dense_rows_agrees() -> None:
    E = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.5], [0.0, 0.0, 0.0]])
    assert effective_sparsity(E).tolist() == effective_sparsity(csr_array(E)).tolist() == [1, 3, 0]


def test_held_out_documents_are_validation_where_there_is_any(small_dataset: Dataset) -> None:
    assert held_out(small_dataset)[1] is small_dataset.Y_test
    valid = replace(small_dataset, X_valid=small_dataset.X_train[:9], Y_valid=small_dataset.Y_train[:9])
    assert held_out(valid)[1].shape[0] == 9


def test_sparsity_table_counts_before_and_after(small_dataset: Dataset) -> None:
    table = sparsity_table([small_dataset], m=5, n_neighbors=10)
    row = table.loc["small"]
    assert row["labels of y", "median"] == 1
    assert row["non-zeros of A y", "median"] == 5
    assert row["90 % of E[y|x]", "median"] >= 1
    assert row["non-zeros of E[y|x]", "95th"] <= 10


def test_sparsity_test_tells_the_two_sparsities_apart() -> None:
    """Label vectors and estimates whose sparsities have nothing to do with each other."""
    rng = np.random.default_rng(0)
    n, L = 300, 120
    s_y, s_E = rng.integers(1, 15, n), rng.integers(1, 15, n)
    Y, E = np.zeros((n, L), dtype=np.float32), np.zeros((n, L), dtype=np.float32)
    for i in range(n):
        Y[i, rng.choice(L, s_y[i], replace=False)] = 1
        E[i, rng.choice(L, s_E[i], replace=False)] = 1
    documents = sparsity_test(csr_array(Y), E, measurement_matrix("gaussian", 40, L), sparsity=15)
    correlations = documents.corr(method="spearman")
    assert correlations.loc["error of y", "sparsity of y"] > 0.6 < correlations.loc["error of E", "sparsity of E"]
    assert (
        abs(correlations.loc["error of y", "sparsity of E"])
        < 0.3
        > abs(correlations.loc["error of E", "sparsity of y"])
    )


def test_the_floor_is_what_lies_outside_the_largest_entries() -> None:
    E = np.array([[3.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    Y = csr_array(np.array([[1, 1, 0, 0], [1, 0, 0, 0]], dtype=np.float32))
    documents = sparsity_test(Y, E, measurement_matrix("hadamard", 4, 4), sparsity=1)
    assert documents["floor of E"].tolist() == pytest.approx([2 / 11, 0])
    assert documents["floor of y"].tolist() == pytest.approx([1 / 2, 0])
    assert documents["error of E"].tolist() == pytest.approx([2 / 11, 0], abs=1e-5)
    assert sparsity_test(Y, E, measurement_matrix("hadamard", 4, 4), sparsity=4)["floor of E"].max() == 0


def test_partial_correlation_takes_out_what_goes_through_the_other_sparsity() -> None:
    """The error depends on E's spread alone, and E's spread on the number of labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(1, 20, 4000)
    E = y + rng.normal(0, 5, 4000)
    documents = pd.DataFrame({"sparsity of y": y, "sparsity of E": E, "error of E": E + rng.normal(0, 5, 4000)})
    table = sparsity_correlations(documents)
    assert table.index.tolist() == ["all (4000)", f"two labels or more ({(y > 1).sum()})"]
    row = table.iloc[0]
    assert row["with the labels of y"] > 0.4
    assert abs(row["labels of y, at equal spread of E"]) < 0.1
    assert row["spread of E, at equal labels of y"] > 0.4


def test_labels_below_the_noise_are_counted_and_their_recall_is_theirs_alone() -> None:
    E = np.zeros((4, 12), dtype=np.float32)
    E[:2, 0], E[2:, 1] = 1.0, 0.01
    Y = csr_array(np.repeat([[1, 0], [0, 1]], 2, axis=0) @ np.eye(2, 12, dtype=np.float32))
    table = recall_below_noise(label_signal(Y, Y, E), 1.0, Y, E, [100])
    assert table.loc[100].tolist() == [0.5, 1, 1]
    deaf = E.copy()
    deaf[2:] = 0
    deaf[2:, 5] = 1
    below = recall_below_noise(label_signal(Y, Y, deaf), 1.0, Y, deaf, [100], k=1)
    assert below.loc[100].tolist() == [0.5, 0, 0]


def test_precision_grows_to_that_of_scores_that_are_not_squeezed(small_dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    E = small_dataset.Y_test.toarray() + 0.1 * rng.random((80, 12)).astype(np.float32)
    table = precision_by_m(small_dataset.Y_test, E, [2, 16], ["omp"], sparsity=5, matrix="hadamard")
    assert table["m"].tolist() == [2, 16]
    assert table["P@1"].iloc[0] < table["P@1"].iloc[1] == 1


def test_decoded_codes_and_best_labels_are_predictions() -> None:
    E = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]], dtype=np.float32)
    assert best_labels(E, 2).indices.tolist() == [1, 2, 0, 1]
    A = measurement_matrix("hadamard", 4, 3)
    assert decode_codes(A.measure(E), A, "omp", 1).indices.tolist() == [1, 0]


def test_recall_by_frequency_by_hand() -> None:
    Y_train = csr_array((np.arange(3)[None, :] < np.array([[3], [2], [2], [1], [1], [1]])).astype(np.float32))
    Y = csr_array(np.array([[1, 1, 0], [1, 0, 1]], dtype=np.float32))
    S = csr_array(np.array([[0.9, 0.1, 0.0], [0.9, 0.0, 0.1]], dtype=np.float32))
    first = recall_by_frequency(Y_train, Y, {"S": S}, k=1, kind="mass")["S"]
    assert first.iloc[0] == 1
    assert first.iloc[-1] == 0
    assert (recall_by_frequency(Y_train, Y, {"S": S}, k=2)["S"] == 1).all()


def test_label_signal_is_the_mean_over_the_documents_that_have_the_label() -> None:
    Y = csr_array(np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32))
    E = np.array([[0.2, 9.0, 0.5], [0.4, 9.0, 9.0]])
    table = label_signal(Y, Y, E)
    assert table.index.tolist() == [0, 2]
    assert table["signal"].tolist() == pytest.approx([0.3, 0.5])
    assert table["positives"].tolist() == [2, 1]


def test_recovered_by_m_keeps_the_documents_in_order() -> None:
    Y = random_label_vectors(33, 50, 3)
    found = recovered_by_m(Y, [8, 50], draws=4)
    assert found[50].shape == Y.shape
    assert whole(Y, found[8]).mean() < whole(Y, found[50]).mean() == 1


@pytest.fixture
def wide_dataset(small_dataset: Dataset) -> Dataset:
    Y = csr_array(random_label_vectors(small_dataset.X_test.shape[0], 12, 3))
    return replace(small_dataset, Y_test=Y)


def test_race_and_pursuit_of_a_document(wide_dataset: Dataset) -> None:
    assert documents_by_size(wide_dataset, [1, 3]) == {"document 0 (3 labels)": 0}
    race = DecoderRace(wide_dataset, most=40)
    assert race(0, m=40).data[0].x[0] == "<b>OMP</b><br>3 of 3"
    noisy = race(0, m=4, noise=1.0)
    assert "100% noise" in noisy.layout.title.text
    pursuit = Pursuit(wide_dataset, 0, measurement_matrix("gaussian", 40, 12))
    assert pursuit.n_steps == 3
    assert pursuit(0, m=40).layout.title.text.startswith("0 chosen, 0 of them right; 100%")
    assert pursuit(3, m=40).layout.title.text.startswith("3 chosen, 3 of them right; 0%")


def refit_at_the_end(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """Matching pursuit that takes no label twice, and least squares once, after the last choice."""
    y, rest, chosen = np.zeros(A.shape[1]), z, []
    for _ in range(s):
        strength = A.T @ rest
        best = int(np.argmax([0 if j in chosen else abs(c) for j, c in enumerate(strength)]))
        chosen.append(best)
        rest = rest - strength[best] * A[:, best]
    y[chosen] = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
    return y


def greedy(z: np.ndarray, A: np.ndarray, s: int, stop: float = 0.0, by_fit: bool = False) -> np.ndarray:
    """OMP that ends when little is left; or the choice that leaves least after its refit."""
    y, rest, chosen, values = np.zeros(A.shape[1]), z, [], np.zeros(0)

    def fit(labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
        values = np.linalg.lstsq(A[:, labels], z, rcond=None)[0]
        return values, z - A[:, labels] @ values

    for _ in range(s):
        if np.linalg.norm(rest) < stop:
            break
        free = [label for label in range(A.shape[1]) if label not in chosen]
        gain = [-np.linalg.norm(fit([*chosen, j])[1]) if by_fit else abs(A[:, j] @ rest) for j in free]
        chosen.append(free[int(np.argmax(gain))])
        values, rest = fit(chosen)
    y[chosen] = values
    return y


def test_right_omps_of_other_make_pass() -> None:
    assert judge(exercise("compressed_sensing.omp"), greedy).passed
    assert judge(exercise("compressed_sensing.omp"), lambda z, A, s: greedy(z, A, s, stop=1e-9)).passed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (refit_at_the_end, "once, at the end"),
        (lambda z, A, s: greedy(z, A, s, stop=0.1), "stopped before"),
        (lambda z, A, s: greedy(z, A, s, by_fit=True), "leaves least"),
        (lambda z, A, s: np.linalg.pinv(A) @ z, "all L labels"),
    ],
)
def test_near_misses_of_omp_are_told_what_they_are(wrong, told: str) -> None:
    verdict = judge(exercise("compressed_sensing.omp"), wrong)
    assert verdict.status == "failed"
    assert told in verdict.cause


def by_halves(Y, sizes, recover) -> int:
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        if whole(Y, recover(Y, sizes[middle])).mean() >= 0.5:
            high = middle
        else:
            low = middle + 1
    return sizes[low]


def from_which_on(Y, sizes, recover, broken) -> int:
    failing = [i for i, m in enumerate(sizes) if np.mean(broken(Y.toarray(), recover(Y, m).toarray())) > 0.5]
    return sizes[max(failing, default=-1) + 1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (by_halves, "halves"),
        (lambda *given: from_which_on(*given, lambda Y, D: (D > Y).any(axis=1)), "missing label"),
        (lambda *given: from_which_on(*given, lambda Y, D: (D < Y).any(axis=1)), "wrong label"),
    ],
)
def test_near_misses_of_the_breaking_point_are_told_what_they_are(wrong, told: str) -> None:
    verdict = judge(exercise("compressed_sensing.breaking_m"), wrong)
    assert verdict.status == "failed"
    assert told in verdict.cause


def test_a_right_breaking_point_of_other_make_passes() -> None:
    right = judge(
        exercise("compressed_sensing.breaking_m"),
        lambda *given: from_which_on(*given, lambda Y, D: (D != Y).any(axis=1)),
    )
    assert right.passed
