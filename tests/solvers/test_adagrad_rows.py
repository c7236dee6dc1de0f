from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from xmlwb.solvers import adagrad_rows  # noqa: E402
from xmlwb.solvers.adagrad_rows import AdagradRows  # noqa: E402


def gradients(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    rows = torch.randperm(50, generator=generator)[:20].sort().values
    return rows, torch.randn(20, 7, generator=generator)


@pytest.mark.parametrize("start", [0.0, 0.3])
def test_steps_are_those_of_dense_adagrad_with_zeros(start: float) -> None:
    table = torch.randn(50, 7, generator=torch.Generator().manual_seed(9))
    dense = torch.nn.Parameter(table.clone())
    optimizer = torch.optim.Adagrad([dense], lr=0.1, initial_accumulator_value=start**2)
    rows = AdagradRows(table.clone(), start=start)
    rows.column_lengths()
    for step in range(5):
        moved, gradient = gradients(step)
        dense.grad = torch.zeros_like(dense).index_copy(0, moved, gradient)
        optimizer.step()
        rows.move(moved, gradient, 0.1)
    torch.testing.assert_close(rows.table, dense.data, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(rows.column_lengths(), dense.data.norm(dim=0), rtol=1e-5, atol=0)


def test_all_rows_and_the_same_rows_by_name() -> None:
    table, gradient = torch.randn(50, 7), torch.randn(50, 7)
    one, other = AdagradRows(table.clone(), start=0.1), AdagradRows(table.clone(), start=0.1)
    one.move(None, gradient, 0.2)
    other.move(torch.arange(50), gradient, 0.2)
    torch.testing.assert_close(one.table, other.table, rtol=0, atol=0)


def test_result_does_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adagrad_rows, "_SERIAL_BELOW", 0)
    before, tables = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            rows = AdagradRows(torch.ones(50, 7), start=0.1)
            rows.column_lengths()
            rows.move(*gradients(0), 0.2)
            tables.append((rows.table, rows.column_lengths()))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*tables, strict=True):
        assert torch.equal(one, other)
