from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest
import torch

from xmlwb.solvers.torch_runs import one_thread, seeded


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


def test_random_numbers_of_a_block_and_as_if_nothing_had_been_after_it() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    for _ in range(2):
        with seeded(0, 1, torch.device("cpu")) as rng:
            drawn.append((rng.random(), torch.rand(3)))
    assert drawn[0][0] == drawn[1][0]
    assert torch.equal(drawn[0][1], drawn[1][1])
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize(("name", "opened"), [("cpu", []), ("cuda:1", [torch.device("cuda:1")])])
def test_generators_of_other_devices_are_left_alone(name: str, opened: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving the state of a CUDA device's generator opens a context on it."""
    asked: list[list] = []

    @contextmanager
    def fork_rng(devices=None):
        asked.append(devices)
        yield

    monkeypatch.setattr(torch.random, "fork_rng", fork_rng)
    for function in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, function, lambda seed: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    with seeded(0, 1, torch.device(name)):
        pass
    assert asked == [opened]
