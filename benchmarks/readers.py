"""Speed and memory of the text reader on a generated file.

    python benchmarks/readers.py [--mb 250]

Writes a file in the Repository's one-file form to a temporary folder, reads it in a process of its own after a warm-up
on a small one, and prints MB/s on one core (best of three) and the growth of the peak resident memory over the size of
the arrays. The bars are 25 MB/s and 3 times the arrays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_READ = """
import resource, sys, time
from xmlwb.datasets.readers.repository import read_repository
small, large = sys.argv[1:]
start = time.perf_counter(); read_repository(small); warm = time.perf_counter() - start
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, busy = time.perf_counter(), time.process_time()
X, Y = read_repository(large)
took, busy = time.perf_counter() - start, time.process_time() - busy
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
arrays = sum(a.nbytes for m in (X, Y) for a in (m.data, m.indices, m.indptr))
print(warm, took, busy, (after - before) * 1024, arrays)
"""


def write_example(path: Path, size: int, seed: int = 0) -> None:
    """A file of about `size` bytes: 100 features of six decimals and 5 labels an instance."""
    rng = np.random.default_rng(seed)
    n_features, n_labels, block = 200_000, 50_000, 1_000
    line_bytes = 100 * 15.9 + 28
    n = max(block, int(size / line_bytes) // block * block)
    with open(path, "w", encoding="ascii") as out:
        out.write(f"{n} {n_features} {n_labels}\n")
        for _ in range(n // block):
            steps = rng.integers(1, n_features // 100, size=(block, 100)).cumsum(axis=1)
            values = rng.random((block, 100))
            labels = rng.integers(0, n_labels // 5, size=(block, 5)).cumsum(axis=1) + np.arange(5)
            for row in range(block):
                pairs = zip(steps[row].tolist(), values[row].tolist(), strict=True)
                out.write(",".join(map(str, labels[row].tolist())) + " ")
                out.write(" ".join([f"{index}:{value:.6f}" for index, value in pairs]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=250, help="size of the file")
    size = parser.parse_args().mb * 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.txt"), Path(folder, "large.txt")
        write_example(small, 1_000_000)
        start = time.perf_counter()
        write_example(large, size)
        mb = large.stat().st_size / 1e6
        print(f"wrote {mb:.0f} MB in {time.perf_counter() - start:.0f} s")
        for _ in range(3):
            command = [sys.executable, "-c", _READ, str(small), str(large)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            warm, took, busy, grown, arrays = map(float, done.stdout.split())
            print(
                f"{mb / took:.0f} MB/s, {mb / busy:.0f} MB a CPU second (bar 25); "
                f"peak memory {grown / 1e6:.0f} MB over the start, "
                f"{grown / arrays:.2f} times the arrays' {arrays / 1e6:.0f} MB (bar 3); warm-up {warm:.2f} s"
            )


if __name__ == "__main__":
    main()
