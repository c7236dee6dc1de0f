from __future__ import annotations

import pytest
import torch

from xmlwb.solvers.torch_runs import one_thread


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_for_the_block_and_as_many_as_before_after_it(two_threads) -> None:
    with one_thread(True):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with one_thread(False):
        assert torch.get_num_threads() == 2


def test_an_error_in_the_block_leaves_as_many_threads_as_before(two_threads) -> None:
    with pytest.raises(KeyError), one_thread(True):
        raise KeyError
    assert torch.get_num_threads() == 2
