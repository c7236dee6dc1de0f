from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons.label_spectrum import (
    block_spectra,
    label_sets,
    round_trip,
    shared_energy,
    squares_by_bin,
    vertex_counts,
)


def matrix(rows: list[list[int]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


@pytest.fixture
def Y() -> csr_array:
    """Two frequent labels that always go together, and six rare ones that never meet."""
    dense = np.zeros((240, 8), dtype=np.float32)
    dense[:120, :2] = 1
    for label in range(2, 8):
        dense[120 + 20 * (label - 2) : 120 + 20 * (label - 1), label] = 1
    return csr_array(dense)


def test_label_sets_do_not_depend_on_the_order_of_indices() -> None:
    Y = matrix([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    Y.indices[:2] = Y.indices[:2][::-1]
    Y.has_sorted_indices = False
    assert label_sets(Y) == (3, 2)


def test_vertex_counts_by_hand() -> None:
    counts = vertex_counts(matrix([[1, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 1]]), [0, 2, 3])
    assert counts[1, 1, 0] == counts[1, 1, 1] == counts[0, 0, 1] == 1
    assert counts.sum() == 3


def test_copies_need_one_direction_and_labels_that_never_meet_one_each(Y: csr_array) -> None:
    spectra = block_spectra(Y)
    head = spectra[spectra["bin"] == "head"].set_index("m")
    assert head["directions"][1] == pytest.approx(1)
    assert head["labels alone"][1] == pytest.approx(0.5)
    tail = spectra[spectra["bin"] == "tail"].set_index("m")
    assert tail["labels"].iloc[0] == 6
    # all six have one variance; the means that are taken off make them meet a little
    assert tail["labels alone"][3] == pytest.approx(0.5)
    assert tail["directions"][3] == pytest.approx(0.5, abs=0.06)
    assert tail["directions"][6] == pytest.approx(1)


def test_shared_energy_is_what_projection_leaves(Y: csr_array) -> None:
    table = shared_energy(Y, 3).set_index(["bin", "m"])["share"]
    centred = Y.toarray() - Y.toarray().mean(axis=0)
    V = np.linalg.svd(centred, full_matrices=False)[2].T
    left = centred - centred @ V[:, :1] @ V[:, :1].T  # the first singular value is simple
    for name, labels in (("head", slice(0, 2)), ("tail", slice(2, 8))):
        share = 1 - np.sum(left[:, labels] ** 2) / np.sum(centred[:, labels] ** 2)
        assert table[name, 1] == pytest.approx(share, abs=1e-5)
    assert table["head", 1] > 0.9 > 0.3 > table["tail", 1]


def test_round_trip_loses_the_tail_first_and_nothing_at_full_rank(Y: csr_array) -> None:
    centred = Y.toarray() - Y.toarray().mean(axis=0)
    V = np.linalg.svd(centred, full_matrices=True)[2].T

    def decode(Z: np.ndarray, V: np.ndarray, mean: np.ndarray) -> np.ndarray:
        return (Z @ V.T + mean >= 0.5).astype(int)

    back = round_trip(Y, Y, V, [1, 8], decode).set_index(["bin", "m"])["recovered"]
    assert back["head", 1] == 1
    assert back["tail", 1] == 0
    assert back["tail", 8] == 1


def test_all_labels_together_and_labels_that_keep_half(Y: csr_array) -> None:
    table = shared_energy(Y, 8).set_index(["bin", "m"])
    centred = Y.toarray() - Y.toarray().mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    assert table["share"]["all", 1] == pytest.approx(singular[0] ** 2 / np.sum(singular**2), abs=1e-5)
    assert table["half kept"]["head", 1] == 1
    assert table["half kept"]["tail", 1] == 0
    assert table["half kept"]["all", 1] == pytest.approx(2 / 8)
    assert table["half kept"]["all", 8] == 1


def test_squares_by_bin_by_hand(Y: csr_array) -> None:
    table = squares_by_bin(Y)
    frequent, rare = 0.5 * 0.5, (1 / 12) * (11 / 12)
    assert table["labels"].to_dict() == {"head": 2, "tail": 6}
    assert table["share of the squares"]["head"] == pytest.approx(2 * frequent / (2 * frequent + 6 * rare))
    assert table["one label"].to_dict() == pytest.approx({"head": frequent / rare, "tail": 1})
