"""What the study engine costs: 200 small runs on two processes, against the time of the models themselves.

Everything that is not a model's own fit or prediction counts: starting the workers, loading and sharing the data,
warming up, measuring with bootstrap intervals, sending, writing, waiting for the last run.

    python benchmarks/study_overhead.py            # loky
    python benchmarks/study_overhead.py --dask     # Dask on this machine
    python benchmarks/study_overhead.py --tiny     # shorter runs
"""

from __future__ import annotations

import argparse
import tempfile
import time

import pandas as pd

from xmlwb.studies import Study, StudyEvent, open_rows, read_runs

BAR = 0.05


def the_study(data: str) -> Study:
    """200 runs of five methods, a second or two each on bibtex."""
    grid = {
        "fastxml": {"n_trees": [10, 15, 20, 25]},
        "pfastrexml": {"n_trees": [10, 15, 20, 25]},
        "sleec": {"n_learners": [2, 3], "n_components": [50, 100]},
        "parabel": {"n_trees": [3, 5], "C": [0.3, 1.0]},
        "bonsai": {"n_trees": [3, 5], "C": [0.3, 1.0]},
    }
    return Study(data, list(grid), grid=grid, seeds=10, name="overhead")


def tiny_study(data: str) -> Study:
    """200 runs of a quarter of a second: what every run costs beside its model shows best here."""
    grid = {
        "ova": {"C": [0.1, 0.3, 1.0, 3.0, 10.0], "threshold": [0.0, 0.1]},
        "parabel": {"C": [0.1, 0.3, 1.0, 3.0, 10.0]},
        "svd": {"n_components": [20, 50, 80, 110, 140]},
    }
    return Study(data, list(grid), grid=grid, seeds=10, name="overhead, tiny runs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default="bibtex")
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="runs of a quarter of a second")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    study, first = (tiny_study if options.tiny else the_study)(options.data), []

    def on_event(event: StudyEvent) -> None:
        if event.kind == "end" and not first:
            first.append(event.elapsed)

    with tempfile.TemporaryDirectory() as folder:
        began = pd.Timestamp.now("UTC")
        begin = time.perf_counter()
        runs = study.run(folder, n_jobs=options.jobs, dask=options.dask, callback=on_event)
        wall = time.perf_counter() - begin
        begin = time.perf_counter()
        read_runs(folder)
        reading = time.perf_counter() - begin
    _, rows = open_rows(runs.loc[0, "source"], "valid")
    own = float((runs["train s"] + runs["ms per instance"] * rows.X.shape[0] / 1000).sum())
    inside = float(runs["run s"].sum())
    paid = options.jobs * wall
    started, finished = (pd.to_datetime(runs[c]).sort_values() for c in ("started", "finished"))
    starts = [(t - began).total_seconds() for t in started[: options.jobs]]
    ends = [(finished.iloc[-1] - t).total_seconds() for t in finished[-options.jobs :]]
    after = wall - (finished.iloc[-1] - began).total_seconds()
    parts = pd.Series(
        {
            "models' own time (fit, predict)": own,
            "warming up and measuring": inside - own,
            "until each worker's first run": sum(starts),
            "idle while the last run ends": sum(ends),
            "after the last run": options.jobs * after,
            "between runs": paid - inside - sum(starts) - sum(ends) - options.jobs * after,
        }
    )
    print(f"{len(runs)} runs on {options.data}, {options.jobs} {'Dask' if options.dask else 'loky'} workers")
    print(f"wall {wall:.1f} s, first run after {first[0]:.1f} s, reading the table {1000 * reading:.0f} ms")
    print((parts.to_frame("seconds of both workers").assign(share=parts / own)).round(3).to_string())
    overhead = (paid - own) / own
    print(f"overhead {100 * overhead:.1f} % of the models' own time (wanted: under {100 * BAR:.0f} %)")
    assert (runs["status"] == "ok").all()


if __name__ == "__main__":
    main()
