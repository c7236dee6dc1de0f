"""Compiled loops of the text reader: count separators, then fill the arrays of a CSR pair.

Both work on a piece of the file that ends at a line's end, so that neither the file nor any Python object per
instance is ever held whole. Separate from `repository` because importing numba takes longer than most reads.
"""

# mypy: allow-untyped-defs, allow-untyped-decorators
# numba infers the types: arrays of uint8, int32 or int64, float32.

from __future__ import annotations

import numpy as np
from numba import njit

from xmlwb.datasets.readers.problems import (
    BAD_FEATURE,
    BAD_LABEL,
    BAD_VALUE,
    DUPLICATE_FEATURE,
    DUPLICATE_LABEL,
    FEATURE_RANGE,
    FILE_CHANGED,
    LABEL_RANGE,
    NO_COLON,
    NOT_FINITE,
    TOO_MANY_ROWS,
)

# A float32 ends below 3.5e38 and above 1e-45, and a mantissa here has at most 19 digits.
_POW10 = np.array([10.0**e for e in range(71)])
_INDEX_CAP = 10**17  # indices stop growing here, so that a long run of digits can not overflow

_NEWLINE, _COMMA, _COLON, _ZERO, _NINE = 10, 44, 58, 48, 57
_TAB, _RETURN, _BLANK, _PLUS, _MINUS, _POINT, _E, _e = 9, 13, 32, 43, 45, 46, 69, 101

# Slots of the state array, which carries the counts from one piece of the file to the next.
ROW, X_COUNT, Y_COUNT, PROBLEM, TOKEN, FOUND = range(6)
STATE_SIZE = 6


@njit(cache=True, nogil=True)
def count_separators(buffer):
    """Newlines, commas and colons in a uint8 array: upper bounds for rows, labels and features."""
    newlines = commas = colons = 0
    for c in buffer:
        newlines += c == _NEWLINE
        commas += c == _COMMA
        colons += c == _COLON
    return newlines, commas, colons


@njit(cache=True, nogil=True, inline="always")
def _is_space(c):
    return c in (_BLANK, _NEWLINE, _RETURN, _TAB)


@njit(cache=True, nogil=True)
def _integer(buffer, i):
    """Unsigned integer at i: (value, index after it); the index stays i where there is no digit."""
    value = 0
    end = buffer.size
    while i < end and _ZERO <= buffer[i] <= _NINE:
        if value < _INDEX_CAP:
            value = value * 10 + (buffer[i] - _ZERO)
        i += 1
    return value, i


@njit(cache=True, nogil=True)
def _number(buffer, i):
    """Decimal number at i: (value, index after it); index -1 where the text is not a finite number."""
    end = buffer.size
    negative = False
    if i < end and (buffer[i] == _MINUS or buffer[i] == _PLUS):
        negative = buffer[i] == _MINUS
        i += 1
    mantissa = np.uint64(0)
    kept = 0  # significant digits in the mantissa; 19 of them always fit into 64 bits
    exponent = 0
    digits = 0
    after_point = False
    while i < end:
        c = buffer[i]
        if _ZERO <= c <= _NINE:
            digits += 1
            if kept < 19:
                mantissa = mantissa * np.uint64(10) + np.uint64(c - _ZERO)
                if mantissa > 0:
                    kept += 1
                exponent -= after_point
            else:
                exponent += not after_point
        elif c == _POINT and not after_point:
            after_point = True
        else:
            break
        i += 1
    if digits == 0:
        return 0.0, -1
    if i < end and (buffer[i] == _e or buffer[i] == _E):
        i += 1
        down = False
        if i < end and (buffer[i] == _MINUS or buffer[i] == _PLUS):
            down = buffer[i] == _MINUS
            i += 1
        shift, after = _integer(buffer, i)
        if after == i:
            return 0.0, -1
        exponent += -min(shift, 10**9) if down else min(shift, 10**9)
        i = after
    if i < end and not _is_space(buffer[i]):
        return 0.0, -1
    value = float(mantissa)
    if mantissa != 0:
        if exponent > 70:
            value = np.inf
        elif exponent >= 0:
            value = value * _POW10[exponent]
        elif exponent >= -70:
            value = value / _POW10[-exponent]
        else:  # at most 1e19 * 1e-71: a float32 zero, or many leading zeros written out
            value = 0.0
    return (-value if negative else value), i


@njit(cache=True, nogil=True)
def _close_labels(indices, first, last, merge):
    """Sort a row's labels in place. Returns (end of the row, duplicate or -1)."""
    ordered = True
    for j in range(first + 1, last):
        if indices[j - 1] >= indices[j]:
            ordered = False
            break
    if ordered:
        return last, -1
    indices[first:last] = np.sort(indices[first:last])
    end = first + 1
    for j in range(first + 1, last):
        if indices[j] == indices[end - 1]:
            if not merge:
                return last, indices[j]
        else:
            indices[end] = indices[j]
            end += 1
    return end, -1


@njit(cache=True, nogil=True)
def _close_features(indices, data, first, last, merge):
    """Sort a row's features by index in place. Returns (end of the row, duplicate or -1)."""
    ordered = True
    for j in range(first + 1, last):
        if indices[j - 1] >= indices[j]:
            ordered = False
            break
    if ordered:
        return last, -1
    order = np.argsort(indices[first:last], kind="mergesort")
    indices[first:last] = indices[first:last][order]
    data[first:last] = data[first:last][order]
    end = first + 1
    for j in range(first + 1, last):
        if indices[j] == indices[end - 1]:
            if not merge:
                return last, indices[j]
            data[end - 1] += data[j]
        else:
            indices[end] = indices[j]
            data[end] = data[j]
            end += 1
    return end, -1


@njit(cache=True, nogil=True)
def fill_rows(
    buffer, labelled, merge, n_rows, n_features, n_labels, state, x_indptr, x_indices, x_data, y_indptr, y_indices
):
    """Parse whole lines of `buffer` into the arrays, from where `state` says; stop at the first problem.

    On a problem `state` holds its code, the token's position in the buffer and the number that was found.
    """
    end = buffer.size
    row, nx, ny = state[ROW], state[X_COUNT], state[Y_COUNT]
    i = 0
    while i < end:
        if row == n_rows:  # nothing but blank lines may follow the last row
            if not _is_space(buffer[i]):
                state[PROBLEM], state[TOKEN] = TOO_MANY_ROWS, i
                break
            i += 1
            continue
        y_first, x_first = ny, nx
        if labelled and not _is_space(buffer[i]):
            start = i
            while True:
                token = i
                index, i = _integer(buffer, i)
                c = buffer[i] if i < end else _NEWLINE
                if i > token and c == _COLON and token == start:
                    i = start  # the line begins with a feature: an instance without labels
                    break
                if i == token or not (c == _COMMA or _is_space(c)):
                    state[PROBLEM], state[TOKEN] = BAD_LABEL, token
                    break
                if index >= n_labels:
                    state[PROBLEM], state[TOKEN], state[FOUND] = LABEL_RANGE, token, index
                    break
                if ny == y_indices.size:
                    state[PROBLEM], state[TOKEN] = FILE_CHANGED, token
                    break
                y_indices[ny] = index
                ny += 1
                if c != _COMMA:
                    break
                i += 1
            if state[PROBLEM] != 0:
                break
            ny, twice = _close_labels(y_indices, y_first, ny, merge)
            if twice >= 0:
                state[PROBLEM], state[TOKEN], state[FOUND] = DUPLICATE_LABEL, start, twice
                break
        line = i
        while True:
            while i < end and buffer[i] != _NEWLINE and _is_space(buffer[i]):
                i += 1
            if i >= end or buffer[i] == _NEWLINE:
                i += 1
                break
            token = i
            index, i = _integer(buffer, i)
            if i >= end or buffer[i] != _COLON:
                bare = i > token and (i >= end or _is_space(buffer[i]))
                state[PROBLEM], state[TOKEN] = (NO_COLON if bare else BAD_FEATURE), token
                break
            if i == token:
                state[PROBLEM], state[TOKEN] = BAD_FEATURE, token
                break
            if index >= n_features:
                state[PROBLEM], state[TOKEN], state[FOUND] = FEATURE_RANGE, token, index
                break
            value, i = _number(buffer, i + 1)
            if i < 0:
                state[PROBLEM], state[TOKEN] = BAD_VALUE, token
                break
            single = np.float32(value)
            if np.isinf(single):
                state[PROBLEM], state[TOKEN] = NOT_FINITE, token
                break
            if nx == x_indices.size:
                state[PROBLEM], state[TOKEN] = FILE_CHANGED, token
                break
            x_indices[nx] = index
            x_data[nx] = single
            nx += 1
        if state[PROBLEM] != 0:
            break
        nx, twice = _close_features(x_indices, x_data, x_first, nx, merge)
        if twice >= 0:
            state[PROBLEM], state[TOKEN], state[FOUND] = DUPLICATE_FEATURE, line, twice
            break
        kept = x_first  # explicit zeros are left out
        for j in range(x_first, nx):
            if x_data[j] != 0.0:
                x_indices[kept] = x_indices[j]
                x_data[kept] = x_data[j]
                kept += 1
        nx = kept
        row += 1
        x_indptr[row] = nx
        y_indptr[row] = ny
    state[ROW], state[X_COUNT], state[Y_COUNT] = row, nx, ny
