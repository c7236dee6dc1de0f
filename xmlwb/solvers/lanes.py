"""Sixteen labels side by side in one vector register, or four where there are not more.

A sparse row is read once and serves all its labels: their weights lie next to each other, ``W[j, 0:16]``, so that a
feature costs one load, one multiply-add and, when learning, one store for all of them. Few labels, such as the two
children of a binary tree's node, take four lanes, so that four times as many features fit into the cache.

Numba does not keep a small array in registers across a loop (it cannot rule out that the arrays overlap), which costs a
factor of two here; hence these two loops are written directly in LLVM's vector form. LLVM lowers sixteen float32 to
AVX-512, to two AVX2 or to four NEON registers, whichever the machine has.

The number of lanes must be known when the loops are compiled. A kernel therefore takes it as a tuple of that many
zeros, `WIDE` or `NARROW`, whose length is part of its type.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

LANES = 16
FEW_LANES = 4
WIDE = (0,) * LANES
NARROW = (0,) * FEW_LANES

_FLOAT = ir.FloatType()
_FLOAT_ALIGNMENT = 4  # bytes; numpy promises no more for a row in the middle of an array


@intrinsic
def add_weighted_rows(
    typingctx: Any, out: Any, W: Any, indices: Any, data: Any, begin: Any, end: Any, lanes: Any
) -> Any:
    """``out[:] += sum(data[p] * W[indices[p], :] for p in range(begin, end))``.

    ``out`` is float32 (lanes,), ``W`` float32 (d, lanes), both C-contiguous; ``data`` is float32.
    """
    _require_contiguous(out=(out, 1), W=(W, 2), data=(data, 1))
    _require_places(indices)
    signature = types.void(out, W, indices, data, begin, end, lanes)
    vector = ir.VectorType(_FLOAT, lanes.count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out, W, indices, data, begin, end = _unpack(context, builder, signature, args[:-1])
        total = cgutils.alloca_once_value(builder, _load(builder, out.data, vector))
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(begin.type, 1)) as (p, _):
            row = _load(builder, _row(context, builder, W, indices, p, lanes.count), vector)
            weighted = builder.fmul(row, _splat(builder, data, p, vector), flags=("fast",))
            builder.store(builder.fadd(builder.load(total), weighted, flags=("fast",)), total)
        _store(builder, builder.load(total), out.data)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def add_to_rows(typingctx: Any, W: Any, indices: Any, data: Any, begin: Any, end: Any, delta: Any, lanes: Any) -> Any:
    """``W[indices[p], :] += data[p] * delta[:] for p in range(begin, end)``; the inverse traffic of the above."""
    _require_contiguous(W=(W, 2), data=(data, 1), delta=(delta, 1))
    _require_places(indices)
    signature = types.void(W, indices, data, begin, end, delta, lanes)
    vector = ir.VectorType(_FLOAT, lanes.count)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        W, indices, data, begin, end, delta = _unpack(context, builder, signature, args[:-1])
        step = _load(builder, delta.data, vector)
        with cgutils.for_range_slice(builder, begin, end, ir.Constant(begin.type, 1)) as (p, _):
            address = _row(context, builder, W, indices, p, lanes.count)
            weighted = builder.fmul(step, _splat(builder, data, p, vector), flags=("fast",))
            _store(builder, builder.fadd(_load(builder, address, vector), weighted, flags=("fast",)), address)
        return context.get_dummy_value()

    return signature, codegen


def _require_contiguous(**arrays: tuple[Any, int]) -> None:
    """Refuse, when numba types the call, what the pointer arithmetic below would misread."""
    for name, (kind, ndim) in arrays.items():
        if not isinstance(kind, types.Array) or (kind.dtype, kind.ndim, kind.layout) != (types.float32, ndim, "C"):
            raise TypingError(f"{name} is {kind}; wanted a C-contiguous float32 array of {ndim} dimension(s)")


def _require_places(indices: Any) -> None:
    if not isinstance(indices, types.Array) or (indices.ndim, indices.layout) != (1, "C"):
        raise TypingError(f"indices is {indices}; wanted a C-contiguous array of 1 dimension")
    if not isinstance(indices.dtype, types.Integer):
        raise TypingError(f"indices is {indices}; wanted whole numbers")


class _Array(NamedTuple):
    data: Any  # pointer to the first element
    dtype: Any


def _unpack(context: Any, builder: Any, signature: Any, args: Any) -> list[Any]:
    """An intrinsic's arguments: arrays as `_Array`, integers as intp."""
    return [
        _Array(context.make_array(kind)(context, builder, value).data, kind.dtype)
        if isinstance(kind, types.Array)
        else context.cast(builder, value, kind, types.intp)
        for kind, value in zip(signature.args[: len(args)], args, strict=True)
    ]


def _row(context: Any, builder: Any, W: Any, indices: Any, p: Any, n_lanes: int) -> Any:
    """The address of ``W[indices[p], 0]``."""
    j = builder.load(builder.gep(indices.data, [p]))
    j = context.cast(builder, j, indices.dtype, types.intp)
    return builder.gep(W.data, [builder.mul(j, ir.Constant(j.type, n_lanes))])


def _splat(builder: Any, data: Any, p: Any, vector: Any) -> Any:
    """A vector whose every lane is ``data[p]``."""
    lane = ir.IntType(32)
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, builder.load(builder.gep(data.data, [p])), ir.Constant(lane, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(lane, vector.count), [0] * vector.count))


def _load(builder: Any, address: Any, vector: Any) -> Any:
    loaded = builder.load(builder.bitcast(address, vector.as_pointer()))
    loaded.align = _FLOAT_ALIGNMENT
    return loaded


def _store(builder: Any, value: Any, address: Any) -> None:
    stored = builder.store(value, builder.bitcast(address, value.type.as_pointer()))
    stored.align = _FLOAT_ALIGNMENT
