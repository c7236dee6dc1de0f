"""GLaS on several processes: DistributedDataParallel on the CPU, as torchrun starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import STOP, EmbeddingClassifier

SMALL = {"n_components": 24, "n_epochs": 6, "batch_size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=200, random_state=3)


def assert_same(one: EmbeddingClassifier, other: EmbeddingClassifier, *, atol: float = 0) -> None:
    """Equal but for atol; what moves by a thousandth of the tables' rate but for a part of it."""
    for name, apart in (("W1_", atol), ("b1_", atol / 100), ("label_embeddings_", atol)):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=apart, err_msg=name)
    assert one.scale_ == pytest.approx(other.scale_, abs=atol / 10)


SHARED = """
import json, os, sys
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import STOP, EmbeddingClassifier
data = make_synthetic(600, 40, n_features=200, random_state=3)
rank, seen = os.environ["RANK"], []
for number, change in enumerate(json.loads(sys.argv[1])):
    model = EmbeddingClassifier(**change)
    model.fit(data.X_train, data.Y_train, callback=lambda e: STOP if seen.append(e.step) or e.step == 3 else None)
    model.save(os.path.join(sys.argv[2], f"{number}-{rank}"))
open(os.path.join(sys.argv[2], f"events-{rank}"), "w").write(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def shared_runs(tmp_path_factory) -> tuple[list[dict], Path]:
    """Fits that two processes share, each with other losses and regularisers; all in one go, since torch starts up."""
    pytest.importorskip("torch.distributed")
    folder = tmp_path_factory.mktemp("shared")
    changes = [
        SMALL, SMALL | {"loss": "margin", "n_negatives": 10, "regularizer": "gravity", "n_hidden": 16},
        SMALL | {"batch_size": 89, "loss": "negative-mining", "checkpoint_dir": str(folder / "checkpoint")},
    ]  # fmt: skip
    (folder / "shared.py").write_text(SHARED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(folder / "shared.py"), json.dumps(changes), str(folder)],
        capture_output=True, timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return changes, folder


@pytest.mark.parametrize("number", range(3))
def test_two_processes_learn_what_one_does(data, shared_runs, number: int) -> None:
    changes, folder = shared_runs
    one, other = (EmbeddingClassifier.load(folder / f"{number}-{rank}") for rank in (0, 1))
    assert_same(one, other)
    alone = EmbeddingClassifier(**changes[number] | {"checkpoint_dir": None}).fit(
        data.X_train, data.Y_train, callback=lambda event: STOP if event.step == 3 else None
    )
    assert_same(one, alone, atol=1e-3)


def test_the_first_process_alone_reports(shared_runs) -> None:
    _, folder = shared_runs
    assert json.loads((folder / "events-0").read_text()) == [1, 2, 3] * 3
    assert json.loads((folder / "events-1").read_text()) == []
