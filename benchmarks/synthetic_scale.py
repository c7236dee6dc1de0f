"""Time and peak memory of the synthetic generator.

    python benchmarks/synthetic_scale.py [--n 1000000] [--labels 1000000]

The bars for a million instances and a million labels are 90 s and 8 GiB on two cores.
"""

from __future__ import annotations

import argparse
import resource
import time

from xmlwb.datasets.synthetic import make_synthetic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=200_000)
    arguments = parser.parse_args()
    start = time.perf_counter()
    make_synthetic(50, 10)
    print(f"warm-up {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    data, truth = make_synthetic(
        arguments.n,
        arguments.labels,
        n_features=arguments.features,
        labels_per_instance=5,
        propensity_loss=(0.55, 1.5),
        return_truth=True,
    )
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(data)
    print(f"{truth.Y_train.nnz:,} true training labels, {data.Y_train.nnz:,} kept; {data.X_train.nnz:,} features")
    print(f"{took:.1f} s (bar 90), peak memory {peak:.2f} GiB (bar 8)")


if __name__ == "__main__":
    main()
