"""Work in threads: order, errors, and an end at which nothing goes on."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from xmlwb.solvers.in_order import in_order


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_results_come_in_the_order_of_the_tasks(n_jobs: int) -> None:
    def work(i: int) -> int:
        time.sleep(0.002 * (i % 3 == 0))
        return i

    assert list(in_order(work, ((i,) for i in range(60)), n_jobs=n_jobs)) == list(range(60))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nothing_is_begun_once_it_is_closed(n_jobs: int) -> None:
    begun, ended = [], []
    gate = threading.Event()

    def work(i: int) -> int:
        begun.append(i)
        if i > 0:
            gate.wait(0.05)
        ended.append(i)
        return i

    with closing(in_order(work, ((i,) for i in range(1000)), n_jobs=n_jobs)) as results:
        assert next(results) == 0
    count = len(begun)
    assert sorted(begun) == sorted(ended), "something was still under way"
    assert count < 30
    time.sleep(0.1)
    assert len(begun) == count


def test_an_error_comes_out_where_its_result_would() -> None:
    def work(i: int) -> int:
        if i == 2:
            raise KeyError(i)
        return i

    results = in_order(work, [(0,), (1,), (2,), (3,)], n_jobs=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)
