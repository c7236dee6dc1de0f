from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.deep_walk import DeepWalk


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tensors as small as these only wait for each other's threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def planted(n_groups: int = 5, size: int = 20, seed: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
    """Groups with many edges inside and few between; two nodes more that have none."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), size)
    same = group[:, None] == group
    A = np.triu(rng.random(same.shape) < np.where(same, 0.4, 0.01), 1)
    A = np.pad((A | A.T).astype(np.float32), (0, 2))
    return sparse.csr_array(A), group


def same_group_auc(embeddings: np.ndarray, group: np.ndarray) -> float:
    """How often two nodes of one group are closer, by cosine, than two of different ones."""
    unit = embeddings[: len(group)] / np.linalg.norm(embeddings[: len(group)], axis=1, keepdims=True)
    near, upper = unit @ unit.T, np.triu_indices(len(group), 1)
    same = (group[:, None] == group)[upper]
    ranks = np.argsort(np.argsort(near[upper])) + 1.0
    n = np.count_nonzero(same)
    return (ranks[same].sum() - n * (n + 1) / 2) / (n * (len(same) - n))


@pytest.mark.parametrize(("device", "n_walks"), [("cpu", 20), ("torch:cpu", 6)])
def test_planted_groups_are_found_again(device, n_walks):
    A, group = planted()
    model = DeepWalk(n_components=16, n_walks=n_walks, device=device).fit(A)
    assert model.embeddings_.shape == model.contexts_.shape == (102, 16)
    assert model.embeddings_.dtype == model.contexts_.dtype == np.float32
    assert same_group_auc(model.embeddings_, group) > 0.99
    assert model.losses_.shape == (n_walks,)
    assert model.losses_[-1] < 0.9 * model.losses_[0]


def test_heavy_edges_tie_more_than_light_ones():
    half = np.random.default_rng(1).permutation(np.repeat([0, 1], 50))  # a second grouping, which only the weights know
    weights = np.where(half[:, None] == half, 100.0, 1.0)
    complete = sparse.csr_array(weights - np.diag(np.diag(weights)))
    assert same_group_auc(DeepWalk(n_components=8).fit(complete).embeddings_, half) > 0.99
    complete.data[:] = 1
    assert same_group_auc(DeepWalk(n_components=8).fit(complete).embeddings_, half) < 0.7


def test_nodes_without_edges_are_0_and_no_noise():
    A, _ = planted()
    model = DeepWalk(n_components=4, n_walks=2).fit(A)
    assert not np.any(model.embeddings_[-2:])
    assert not np.any(model.contexts_[-2:])
    assert np.all(np.linalg.norm(model.embeddings_[:-2], axis=1) > 0)


def test_the_same_for_any_number_of_threads_and_each_time():
    A, _ = planted(n_groups=30)  # several blocks of nodes
    models = [DeepWalk(n_components=8, n_walks=3, n_jobs=n).fit(A) for n in (1, 2, 7, 1)]
    for model in models[1:]:
        assert np.array_equal(model.embeddings_, models[0].embeddings_)
        assert np.array_equal(model.contexts_, models[0].contexts_)
        assert np.array_equal(model.losses_, models[0].losses_)
    other = DeepWalk(n_components=8, n_walks=3, random_state=1).fit(A)
    assert not np.array_equal(other.embeddings_, models[0].embeddings_)


def test_torch_gives_the_same_each_time():
    A, _ = planted()
    models = [DeepWalk(n_components=8, n_walks=2, device="torch:cpu").fit(A) for _ in range(2)]
    assert np.array_equal(models[0].embeddings_, models[1].embeddings_)


def test_more_epochs_read_on():
    A, _ = planted()
    model = DeepWalk(n_components=8, n_walks=1, n_epochs=6).fit(A)
    assert model.losses_.shape == (6,)
    assert model.losses_[-1] < 0.8 * model.losses_[0]


def test_the_callback_sees_each_chunk_and_can_end_the_fit():
    A, _ = planted()
    seen = []
    model = DeepWalk(n_components=8, n_walks=3)
    model.fit(A, callback=lambda step, total, loss: seen.append((step, total, loss)))
    assert [step for step, *_ in seen] == list(range(1, seen[0][1] + 1))
    assert all(np.isfinite(loss) for *_, loss in seen)
    assert np.array_equal(model.embeddings_, DeepWalk(n_components=8, n_walks=3).fit(A).embeddings_)
    steps = []

    def stop(step: int, total: int, loss: float) -> bool:
        steps.append(np.abs(model.contexts_).max())
        return step == 2

    model.fit(A, callback=stop)
    assert len(steps) == 2
    assert steps[1] > 0
    assert np.isfinite(model.embeddings_).all()
    assert len(model.losses_) == 1


def test_dead_ends_and_walks_of_one_node():
    one_way = sparse.csr_array(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    model = DeepWalk(n_components=4).fit(one_way)
    assert np.all(model.embeddings_.any(axis=1))  # node 2 leads nowhere, but is led to
    for A, options in ((one_way, {"walk_length": 1}), (sparse.csr_array((3, 3)), {})):
        model = DeepWalk(n_components=4, **options).fit(A)
        assert not np.any(model.embeddings_)
        assert model.embeddings_.shape == (3, 4)
        assert len(model.losses_) == 0


def test_the_compiled_form_needs_no_torch():
    code = "import sys, xmlwb.solvers.deep_walk as d, scipy.sparse as s; d.DeepWalk(n_walks=1).fit(s.csr_array((2, 2)))"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components is 0"),
        ({"window": 1.5}, "window is 1.5"),
        ({"n_negatives": True}, "n_negatives is True"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"device": None}, "device is None"),
    ],
)
def test_bad_parameters_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        DeepWalk(**options).fit(planted()[0])


def test_bad_graphs_are_named():
    with pytest.raises(ValueError, match="adjacency: found csr_array of shape"):
        DeepWalk().fit(sparse.csr_array((2, 3)))
    with pytest.raises(ValueError, match="negative"):
        DeepWalk().fit(sparse.csr_array(-np.eye(2)))


@pytest.mark.parametrize("device", ["gpu", "cuda:97", "torch:gpu"])
def test_devices_that_are_not_here_are_named(device: str):
    with pytest.raises(ValueError, match=f"device is '{device.removeprefix('torch:')}'; wanted 'auto' or one that is"):
        DeepWalk(device=device).fit(sparse.csr_array((2, 2)))
