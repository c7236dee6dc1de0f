"""One training and one prediction of a peer library, in a process of its own; called by peers.py, in the peers' venv.

Needs numpy, scipy and the peer itself, nothing of xmlwb:

    python peer_methods.py METHOD DATA_FOLDER OUT_FOLDER THREADS
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

K = 5


class Clock:
    """Times training alone: imports, conversions and files that only the peer's interface asks for stay outside."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._start


training = Clock()
PREDICTIONS = 3
#: The default of its command line (train.py --beam-size), as omikuji's; its Python interface left alone takes 20.
PECOS_BEAM = 10

Matrix = sparse.csr_matrix
Fitted = tuple[Callable[[], Any], Callable[[Path], Any], Callable[[Any], Matrix]]


def read(folder: Path) -> dict[str, sparse.csr_matrix]:
    parts = {name: sparse.csr_matrix(sparse.load_npz(folder / f"{name}.npz")) for name in ("X", "Y", "X_test")}
    return {name: part.astype(np.float32) for name, part in parts.items()}


def pecos(X: Matrix, Y: Matrix, X_test: Matrix, threads: int, *, clusters: bool) -> Fitted:
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    Y = Y.tocsc()  # the form in which its load_label_matrix gives labels for training
    with training:
        chain = None
        if clusters:
            chain = Indexer.gen(LabelEmbeddingFactory.create(Y, X, method="pifa", threads=threads), threads=threads)
        model = XLinearModel.train(X, Y, C=chain, threads=threads)
    model.save("pecos-model")  # its fast prediction is for models that were read from disk
    fast = XLinearModel.load("pecos-model", is_predict_only=True)

    def predict() -> Any:
        return fast.predict(X_test, beam_size=PECOS_BEAM, only_topk=K, threads=threads)

    return predict, (lambda p: shutil.copytree("pecos-model", p)), as_csr


def omikuji(X: Matrix, Y: Matrix, X_test: Matrix, threads: int, **settings: Any) -> Fitted:
    import omikuji

    hyper_param = omikuji.Model.default_hyper_param()
    for name, value in settings.items():
        setattr(hyper_param, name, value)

    folder = Path("svm")
    with folder.open("w") as file:
        file.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n")
        for i in range(X.shape[0]):
            labels = ",".join(map(str, Y[i].indices))
            row = X[i]
            file.write(
                labels + " " + " ".join(f"{j}:{v:.7g}" for j, v in zip(row.indices, row.data, strict=True)) + "\n"
            )
    with training:  # reads the file too: omikuji takes no arrays
        model = omikuji.Model.train_on_data(str(folder), hyper_param, n_threads=threads)
    rows = [
        list(zip(r.indices.tolist(), r.data.tolist(), strict=True)) for r in (X_test[i] for i in range(X_test.shape[0]))
    ]

    def convert(P: Any) -> sparse.csr_matrix:
        return from_pairs(P, Y.shape[1])

    return (lambda: [model.predict(row, top_k=K) for row in rows]), (lambda p: model.save(str(p))), convert


def napkinxc(X: Matrix, Y: Matrix, X_test: Matrix, threads: int, *, model: str) -> Fitted:
    from napkinxc.models import BR, PLT

    fitted = {"br": BR, "plt": PLT}[model]("napkinxc-model", threads=threads, seed=0)
    labels = [Y[i].indices.tolist() for i in range(Y.shape[0])]
    with training:
        fitted.fit(X, labels)

    def predict() -> Any:
        return fitted.predict_proba(X_test, top_k=K)

    def convert(P: Any) -> sparse.csr_matrix:
        return from_pairs(P, Y.shape[1])

    return predict, (lambda p: shutil.copytree("napkinxc-model", p)), convert


def sklearn_ovr(X: Matrix, Y: Matrix, X_test: Matrix, threads: int) -> Fitted:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    OneVsRestClassifier(LinearSVC(tol=0.1), n_jobs=threads).fit(X[:64], Y[:64])  # starts the worker processes
    model = OneVsRestClassifier(LinearSVC(tol=0.1), n_jobs=threads)
    with training:
        model.fit(X, Y)

    def predict() -> Any:
        scores = model.decision_function(X_test)
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        return best, np.take_along_axis(scores, best, axis=1), Y.shape[1]

    def save(path: Path) -> None:
        weights = [
            (e.coef_, e.intercept_) if hasattr(e, "coef_") else (np.zeros(1), np.zeros(1)) for e in model.estimators_
        ]
        np.savez(path, *(part for pair in weights for part in pair))

    def convert(P: Any) -> sparse.csr_matrix:
        best, scores, L = P
        indptr = np.arange(0, best.size + 1, K)
        return sparse.csr_matrix((scores.ravel().astype(np.float32), best.ravel(), indptr), shape=(len(best), L))

    return predict, save, convert


def as_csr(P: Any) -> sparse.csr_matrix:
    return sparse.csr_matrix(P)


def from_pairs(rows: list[list[tuple[int, float]]], n_labels: int) -> sparse.csr_matrix:
    indptr = np.cumsum([0, *map(len, rows)])
    pairs = [pair for row in rows for pair in row]
    labels, scores = (np.array(part) for part in zip(*pairs, strict=True))
    return sparse.csr_matrix((scores.astype(np.float32), labels.astype(np.int32), indptr), shape=(len(rows), n_labels))


METHODS: dict[str, Callable[..., Fitted]] = {
    "pecos-ova": lambda *a: pecos(*a, clusters=False),
    "pecos-xlinear": lambda *a: pecos(*a, clusters=True),
    "omikuji-parabel": omikuji,
    # what its readme calls Bonsai: unbalanced, cluster.k=100, max_depth=3
    "omikuji-bonsai": lambda *a: omikuji(*a, cluster_balanced=False, cluster_k=100, max_depth=3),
    "napkinxc-br": lambda *a: napkinxc(*a, model="br"),
    "napkinxc-plt": lambda *a: napkinxc(*a, model="plt"),
    "sklearn-ovr": sklearn_ovr,
}


def peak_memory_MB() -> float:
    """This process's own high-water mark, without its workers'; getrusage's counts the parent it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def size_of(path: Path) -> int:
    files = [path, path.with_name(path.name + ".npz"), *path.rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def main() -> None:
    method, data, out, threads = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    parts = read(data)
    before = peak_memory_MB()
    predict, save, convert = METHODS[method](parts["X"], parts["Y"], parts["X_test"], threads)
    peak_train = peak_memory_MB()
    seconds = []
    for _ in range(PREDICTIONS):
        start = time.perf_counter()
        predicted = predict()
        seconds.append(time.perf_counter() - start)
    sparse.save_npz(out / "S.npz", sparse.csr_matrix(convert(predicted)))
    save(out / "model")
    figures = {
        "train_s": training.seconds,
        "ms_per_instance": 1000 * float(np.median(seconds)) / parts["X_test"].shape[0],
        "model_MB": size_of(out / "model") / 1e6,
        "train_RSS_MB": peak_train,
        "RSS_before_MB": before,
        "warm_up_s": 0.0,
    }
    (out / "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
