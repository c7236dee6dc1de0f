from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from xmlwb.solvers import row_adam  # noqa: E402
from xmlwb.solvers.row_adam import RowAdam  # noqa: E402


def gradients(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    rows = torch.randperm(50, generator=generator)[:20].sort().values
    return rows, torch.randn(20, 7, generator=generator)


def test_steps_are_those_of_sparse_adam() -> None:
    table = torch.randn(50, 7, generator=torch.Generator().manual_seed(9))
    parameter = torch.nn.Parameter(table.clone())
    optimizer = torch.optim.SparseAdam([parameter], lr=0.1)
    rows = RowAdam(table.clone())
    for step in range(6):
        moved, gradient = gradients(step)
        parameter.grad = torch.sparse_coo_tensor(moved[None], gradient, (50, 7), check_invariants=True)
        optimizer.step()
        rows.move(moved, gradient, 0.1)
    torch.testing.assert_close(rows.table, parameter.data, rtol=1e-4, atol=1e-6)


def test_all_rows_are_moved_as_by_adam() -> None:
    parameter = torch.nn.Parameter(torch.randn(50, 7, generator=torch.Generator().manual_seed(9)))
    rows, optimizer = RowAdam(parameter.data.clone()), torch.optim.Adam([parameter], lr=0.1)
    for step in range(4):
        parameter.grad = torch.randn(50, 7, generator=torch.Generator().manual_seed(step))
        rows.move(None, parameter.grad, 0.1)
        optimizer.step()
    torch.testing.assert_close(rows.table, parameter.data, rtol=1e-4, atol=1e-6)


def test_rows_that_are_left_out_stay_as_they_are() -> None:
    rows = RowAdam(torch.ones(50, 7))
    moved, gradient = gradients(0)
    rows.move(moved, gradient, 0.1)
    left_out = torch.ones(50, dtype=torch.bool).index_fill(0, moved, False)
    assert (rows.table[left_out] == 1).all()
    assert not rows.mean[left_out].any()
    assert not rows.squares[left_out].any()


def test_a_run_goes_on_from_its_state() -> None:
    whole, begun, resumed = (torch.nn.ModuleDict({"rows": RowAdam(torch.ones(50, 7))}) for _ in range(3))
    for step in range(3):
        whole["rows"].move(*gradients(step), 0.1)
        if step < 2:
            begun["rows"].move(*gradients(step), 0.1)
    resumed["rows"].move(*gradients(7), 0.1)
    resumed.load_state_dict(begun.state_dict())
    resumed["rows"].move(*gradients(2), 0.1)
    assert all(
        torch.equal(a, b) for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True)
    )


def test_result_does_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_adam, "_SERIAL_BELOW", 0)
    before, tables = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            rows = RowAdam(torch.ones(50, 7))
            rows.move(*gradients(0), 0.2)
            tables.append(rows.table)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*tables)
