from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard

from xmlwb.solvers.hadamard import hadamard_entries, next_power_of_two, walsh_hadamard


@pytest.mark.parametrize("p", [1, 2, 4, 8, 64, 256])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transform_is_the_product_with_sylvesters_matrix(p: int, dtype: type) -> None:
    V = np.random.default_rng(p).integers(-9, 10, size=(5, p)).astype(dtype)  # whole numbers: exact in any order
    given = V.copy()
    transformed = walsh_hadamard(given)
    assert transformed is given
    np.testing.assert_array_equal(transformed, V @ hadamard(p))


def test_transforming_twice_gives_p_times_the_rows() -> None:
    V = np.random.default_rng(0).integers(-9, 10, size=(3, 32)).astype(np.float64)
    np.testing.assert_array_equal(walsh_hadamard(walsh_hadamard(V.copy())), 32 * V)


def test_entries_are_those_of_the_matrix() -> None:
    rows = np.array([0, 5, 63, 12])
    np.testing.assert_array_equal(hadamard_entries(rows, np.arange(64)), hadamard(64)[rows])


def test_next_power_of_two() -> None:
    assert [next_power_of_two(size) for size in (1, 2, 3, 4, 5, 1024, 1025)] == [1, 2, 4, 4, 8, 1024, 2048]


@pytest.mark.parametrize(
    ("V", "message"),
    [
        (np.zeros((2, 6)), "V has 6 columns; wanted a power of two"),
        (np.zeros((2, 0)), "V has 0 columns"),
        (np.zeros((2, 4), dtype=np.int64), r"V is int64 of shape \(2, 4\)"),
        (np.zeros(4), r"shape \(4,\); wanted a C-contiguous"),
        (np.zeros((4, 4)).T[::2], "wanted a C-contiguous"),
    ],
)
def test_what_cannot_be_transformed_is_refused(V: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        walsh_hadamard(V)
