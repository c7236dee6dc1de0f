"""WSABIE in numba, instance by instance, beside the same model in PyTorch, by mini-batches: which learns sooner?

    pip install -c constraints.txt torch
    python benchmarks/wsabie_torch.py                         # XMLWB_DATA names the folder that holds delicious, bibtex
    python benchmarks/wsabie_torch.py --data bibtex --batches 32 --rates 0.2,0.3 --epochs 10 --threads 2

Both learn on four fifths of the training rows: `WSABIE` (one thread), and in torch the same W and H, constant feature,
start, bound on the rows' lengths, linearly falling rate, weights, and AdaGrad with one number a row. The latter takes
the whole loss of a mini-batch at the same parameters: sparse X by ``embedding_bag``, all scores by one product, the
violators of all positives at once in rounds of more and more draws (those that hit an own positive do not count, as in
numba), dense steps. It runs on CUDA, else MPS, else the CPU. Fits are taken in turn; kernels are compiled before.

P@1/3/5 on the last fifth is taken after each epoch, off the clock. "s" and "cpu s" are an epoch's seconds, by the clock
and of all threads' processor time, as medians. "s to numba" is the training time until P@1 is at least what numba ends
with at its default rate, the first row; "epochs to" counts its epochs. Both are run at each rate.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product

import numpy as np
import pandas as pd
from scipy import sparse

from xmlwb.datasets import Dataset, load
from xmlwb.metrics import precision_at_k
from xmlwb.models import WSABIE
from xmlwb.models.base import topk_to_csr
from xmlwb.solvers.topk import topk_factored
from xmlwb.solvers.warp import TINY, rank_weights

#: Draws for each positive in the first round; a later one has four times as many, for those without violator.
FIRST_ROUND = 8


class Trace:
    """Seconds, processor seconds and validation P@1/3/5 of each epoch; the clocks stand while it validates."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.epochs = dataset, []
        self.start = time.perf_counter(), time.process_time()

    def add(self, W: np.ndarray, H: np.ndarray, bias: np.ndarray) -> None:
        took = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        best = topk_to_csr(*topk_factored(self.dataset.X_valid, W, H, 5, bias=bias), len(H))
        self.epochs.append([*took, *(100 * precision_at_k(self.dataset.Y_valid, best, k=5)[[0, 2, 4]])])
        self.start = time.perf_counter(), time.process_time()


def fit_numba(dataset: Dataset, rate: float) -> Trace:
    model, trace = WSABIE(learning_rate=rate), Trace(dataset)
    model.fit(dataset.X_train, dataset.Y_train, callback=lambda event: trace.add(model.W_, model.H_, model.bias_))
    return trace


def fit_torch(dataset: Dataset, device: str, batch: int, rate: float, n_epochs: int) -> Trace:
    import torch

    like, trace, rng = WSABIE(), Trace(dataset), np.random.default_rng(0)
    torch.manual_seed(0)
    n, L, m, Y = dataset.n_train, dataset.n_labels, like.n_components, dataset.Y_train
    X = sparse.csr_array(sparse.hstack([dataset.X_train, np.ones((n, 1), np.float32)], format="csr"))
    known = np.bincount(Y.indices, minlength=L) > 0
    start = np.where(known[:, None], rng.standard_normal((L, m)) / np.sqrt(m), 0).astype(np.float32)
    W, H = torch.zeros((X.shape[1], m), device=device, requires_grad=True), torch.from_numpy(start).to(device)
    squares_W, squares_H = (torch.full((len(M), 1), TINY, device=device) for M in (W, H))
    labels = torch.from_numpy(np.flatnonzero(known)).to(device)
    weights = torch.from_numpy(rank_weights(len(labels))).to(device)

    def move(M: torch.Tensor, squares: torch.Tensor, G: torch.Tensor, rate: float) -> None:
        """One AdaGrad step of all rows, up the gradient G, and back onto the ball."""
        squares.add_(torch.linalg.vector_norm(G, dim=1, keepdim=True).square_())
        M.addcmul_(G, squares.rsqrt(), value=rate)
        M.mul_((like.max_norm / torch.linalg.vector_norm(M, dim=1, keepdim=True)).clamp_(max=1.0))

    def violators(S: torch.Tensor, at: torch.Tensor, bar: torch.Tensor, n_negatives: torch.Tensor) -> torch.Tensor:
        """For each positive, whose row of S begins at `at`: a label of score above `bar` or -1, and the draws."""
        label, drawn = torch.full_like(at, -1), torch.zeros_like(at)
        left, width = torch.arange(len(at), device=device), FIRST_ROUND
        while len(left):
            q = labels[torch.randint(len(labels), (len(left), width), device=device)]
            score = S.take(at[left, None] + q)
            hit, first = (score > bar[left, None]).max(dim=1)
            counts = (score > -torch.inf).cumsum(dim=1)  # draws of the instance's own positives do not count
            drawn[left] += counts.gather(1, torch.where(hit, first, width - 1)[:, None])[:, 0]
            label[left] = torch.where(hit, q.gather(1, first[:, None])[:, 0], -1)
            left = left[~hit & (drawn[left] < n_negatives[left].clamp(max=like.max_draws))]
            width = min(4 * width, like.max_draws)
        return torch.stack([label, drawn.clamp(min=1)])

    for rates in np.linspace(rate, 0, n_epochs * -(-n // batch), endpoint=False).reshape(n_epochs, -1):
        order = rng.permutation(n)
        X_now, Y_now = X[order], Y[order]
        arrays = X_now.indices, X_now.indptr, Y_now.indices, np.diff(Y_now.indptr), np.arange(n) % batch
        columns, offsets, own, lengths, places = (torch.from_numpy(a.astype(np.int64)).to(device) for a in arrays)
        values, place = torch.from_numpy(X_now.data).to(device), places.repeat_interleave(lengths)
        for begin, now in zip(range(0, n, batch), rates.tolist(), strict=True):
            end = min(begin + batch, n)
            x, y = (slice(M.indptr[begin], M.indptr[end]) for M in (X_now, Y_now))
            bags = offsets[begin:end] - offsets[begin]
            Z = torch.nn.functional.embedding_bag(columns[x], W, bags, mode="sum", per_sample_weights=values[x])
            with torch.no_grad():
                S = Z @ H.T
                at = place[y] * L
                positive = at + own[y]
                bar = S.take(positive) - 1
                S.view(-1)[positive] = -torch.inf
                n_negatives = len(labels) - lengths[begin:end][place[y]]
                q, drawn = violators(S, at, bar, n_negatives)
                weight = torch.where(q >= 0, weights[n_negatives // drawn], 0.0)
                C = torch.zeros_like(S)
                C.view(-1)[positive] = weight
                C.view(-1).scatter_add_(0, at + q.clamp(min=0), -weight)
                (G_W,) = torch.autograd.grad(Z, W, C @ H)
                move(H, squares_H, C.T @ Z, now)
                move(W, squares_W, G_W, now)
        W_now, H_now = W.detach().cpu().numpy(), H.cpu().numpy()
        trace.add(W_now[:-1], H_now, np.where(known, H_now @ W_now[-1], np.float32(-np.inf)))
    return trace


def figures(trace: Trace, target: float) -> list[float]:
    epochs = np.array(trace.epochs)
    good = np.flatnonzero(epochs[:, 2] >= target)
    reached = (epochs[: good[0] + 1, 0].sum(), good[0] + 1.0) if len(good) else (np.nan, np.nan)
    return [*np.median(epochs[:, :2], axis=0), *epochs[-1, 2:], *reached]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="delicious,bibtex", help="with commas")
    parser.add_argument("--batches", default="32,256,1024", help="instances in a mini-batch, with commas")
    parser.add_argument("--rates", default="0.3,0.6", help="learning rates, with commas")
    parser.add_argument("--epochs", type=int, default=20, help="of the torch one")
    parser.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    args = parser.parse_args()
    try:
        import torch
    except ModuleNotFoundError:
        parser.exit(2, f"{parser.prog}: needs torch; pip install -c constraints.txt torch\n")
    torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    batches, rates = [0, *map(int, args.batches.split(","))], list(map(float, args.rates.split(",")))
    default = WSABIE().learning_rate
    runs = [(0, default), *(run[::-1] for run in product(rates, batches) if run != (default, 0))]  # batch 0: numba
    for name in args.data.split(","):
        dataset = load(name).with_valid(0.2)
        fit_numba(dataset, default)
        traces = [
            fit_torch(dataset, device, batch, rate, args.epochs) if batch else fit_numba(dataset, rate)
            for batch, rate in runs
        ]
        rows = [f"{f'torch, batch {batch}' if batch else 'numba'}, rate {rate:g}" for batch, rate in runs]
        columns = ["s", "cpu s", "P@1", "P@3", "P@5", "s to numba", "epochs to"]
        table = pd.DataFrame([figures(trace, traces[0].epochs[-1][2]) for trace in traces], rows, columns)
        for place, column in ((1, "s"), (3, "cpu s")):
            table.insert(place, "x numba", table[column] / table[column].iloc[0], True)
        print(f"{name}, {device}, torch {torch.__version__}, {args.threads} threads, {args.epochs} epochs of torch")
        print(table.to_string(float_format="%.3g", na_rep="not reached"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
