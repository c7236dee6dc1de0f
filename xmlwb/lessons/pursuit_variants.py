"""Orthogonal matching pursuit as a student may write it: the right way, and the ways it goes wrong."""

from __future__ import annotations

import numpy as np


def omp(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """The right way: the vector (L,) with s least-squares values; z (m,), A (m, L) with columns of length one."""
    y = np.zeros(A.shape[1])
    chosen: list[int] = []
    rest = z
    for _ in range(s):
        strength = np.abs(A.T @ rest)
        strength[chosen] = -1
        chosen.append(int(np.argmax(strength)))
        values = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
        rest = z - A[:, chosen] @ values
    y[chosen] = values
    return y


def without_refit(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """Matching pursuit: what was chosen keeps its first value."""
    y, rest = np.zeros(A.shape[1]), z
    for _ in range(s):
        strength = A.T @ rest
        best = int(np.argmax(np.abs(strength)))
        y[best] += strength[best]
        rest = rest - strength[best] * A[:, best]
    return y


def signed(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """The largest correlation, not the largest magnitude."""
    y, rest = np.zeros(A.shape[1]), z
    chosen: list[int] = []
    for _ in range(s):
        strength = A.T @ rest
        strength[chosen] = -np.inf
        chosen.append(int(np.argmax(strength)))
        values = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
        rest = z - A[:, chosen] @ values
    y[chosen] = values
    return y


def all_at_once(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """The s largest correlations with z, fitted together."""
    y = np.zeros(A.shape[1])
    chosen = np.argsort(-np.abs(A.T @ z), kind="stable")[:s]
    y[chosen] = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
    return y


def refit_to_rest(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """The refit explains what is left, and overwrites the values found before."""
    y, rest = np.zeros(A.shape[1]), z
    chosen: list[int] = []
    for _ in range(s):
        strength = np.abs(A.T @ rest)
        strength[chosen] = -1
        chosen.append(int(np.argmax(strength)))
        values = np.linalg.lstsq(A[:, chosen], rest, rcond=None)[0]
        rest = rest - A[:, chosen] @ values
    y[chosen] = values
    return y


def refit_once(z: np.ndarray, A: np.ndarray, s: int, *, again: bool = False) -> np.ndarray:
    """Matching pursuit, then least squares over what it chose; a label may be chosen ``again``."""
    y, rest = np.zeros(A.shape[1]), z
    chosen: list[int] = []
    for _ in range(s):
        strength = A.T @ rest
        open_to_choice = np.ones(len(strength), dtype=bool)
        open_to_choice[chosen] = again
        best = int(np.argmax(np.where(open_to_choice, np.abs(strength), -1)))
        chosen.append(best)
        rest = rest - strength[best] * A[:, best]
    chosen = sorted(set(chosen))
    y[chosen] = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
    return y


def stops_early(z: np.ndarray, A: np.ndarray, s: int, enough: float = 0.1) -> np.ndarray:
    """OMP that ends when less than ``enough`` is left of z."""
    for steps in range(1, s + 1):
        y = omp(z, A, steps)
        if np.linalg.norm(z - A @ y) < enough:
            break
    return y


def least_left(z: np.ndarray, A: np.ndarray, s: int) -> np.ndarray:
    """Orthogonal least squares: each choice is the one that leaves least after the refit."""
    y = np.zeros(A.shape[1])
    chosen: list[int] = []
    for _ in range(s):
        left = np.full(A.shape[1], np.inf)
        for label in set(range(A.shape[1])) - set(chosen):
            columns = A[:, [*chosen, label]]
            left[label] = np.linalg.norm(z - columns @ np.linalg.lstsq(columns, z, rcond=None)[0])
        chosen.append(int(np.argmin(left)))
    y[chosen] = np.linalg.lstsq(A[:, chosen], z, rcond=None)[0]
    return y
