"""What every method costs and finds: training seconds, megabytes, milliseconds a prediction, P@k and PSP@k.

    python benchmarks/method_costs.py                                         # debtags and debdeps, all methods
    python benchmarks/method_costs.py --data eurlex-4.3k --most 900           # XMLWB_DATA names the sets' folder
    python benchmarks/method_costs.py --data debtags --methods lightdxml,astec --again

Every method of the registry with its default settings, all cores, seed 0, but for LightDXML and Astec on debtags: their
defaults are for larger sets, shortlists of 500 labels where debtags has 571, so there they have chapter 08's settings
(SETTINGS). Nothing is tuned here, and the test rows choose nothing. Each run is a process of its own: a warm-up on 200
rows, which takes compilation out of the figures, one fit on the training rows, and the median of three predictions of
the top 5 of all test rows. A method that needs more memory than is free, by its own estimate, is left out, and so is
one that takes longer than --most seconds in all; the table says so in its column "left out".

Rows are added to --out as they are finished, and those that are there already are not run again; --again does. The
package carries the table, and chapter 08 draws it: run this on a quiet machine before it is committed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import psutil

from xmlwb.atomic import atomic_path
from xmlwb.comparison import compare, memory_needs
from xmlwb.datasets import load
from xmlwb.lessons.method_costs import RESULTS
from xmlwb.model_choice import chosen_models
from xmlwb.models import METHODS

_KEYS = ["data", "key"]
_LEFT_OUT = "left out"
#: Settings other than the defaults, by data and method; chapter 08 has the same.
SETTINGS: dict[tuple[str, str], list[str]] = {
    ("debtags", "lightdxml"): [
        "lightdxml.n_components=128", "lightdxml.shortlist_size=50", "lightdxml.negatives=shortlist",
        "lightdxml.n_epochs=12", "lightdxml.n_label_epochs=3", "lightdxml.rebuild_every=4",
    ],
    ("debtags", "astec"): [
        "astec.n_components=128", "astec.shortlist_size=50", "astec.n_surrogate_epochs=12", "astec.n_epochs=12",
        "astec.n_reranker_epochs=8", "astec.n_reranked=30",
    ],
}  # fmt: skip
_COSTS = {"train s": "train s", "model MB": "model MB", "ms per instance": "ms an instance"}


def run_one(data: str, key: str, out: Path) -> None:
    """Measure one method, and write its row."""
    dataset = load(data)
    settings = [*SETTINGS.get((data, key), []), *([f"{key}.device=cpu"] if "device" in _arguments(key) else [])]
    models = chosen_models([key], settings, n_jobs=os.cpu_count())
    row: dict[str, object] = {"data": data, "key": key, "method": METHODS[key].cls.__name__}
    row |= {"family": METHODS[key].family, "threads": os.cpu_count(), "settings": " ".join(settings) or "defaults"}
    needed, free = memory_needs(dataset, models)[key], psutil.virtual_memory().available
    if needed > free:
        row[_LEFT_OUT] = f"needs {needed / 1e9:.0f} GB of memory"
    else:
        row["load before"] = round(os.getloadavg()[0], 2)
        found = compare(dataset, models, n_resamples=2).table.loc[key]
        row |= {metric: round(100 * found[metric], 2) for metric in ("P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")}
        row |= {new: float(f"{found[old]:.4g}") for old, new in _COSTS.items()}
    pd.DataFrame([row]).to_csv(out, index=False)


def _arguments(key: str) -> set[str]:
    return set(METHODS[key].cls().get_params())


def measured(data: str, key: str, most: float) -> pd.DataFrame:
    """The row of a run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "row.csv"
        command = [sys.executable, __file__, "--one", data, key, str(out)]
        try:
            subprocess.run(command, check=True, timeout=most)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
            took_long = isinstance(error, subprocess.TimeoutExpired)
            why = f"more than {most:.0f} s" if took_long else "failed"
            row = {"data": data, "key": key, "method": METHODS[key].cls.__name__, "family": METHODS[key].family}
            return pd.DataFrame([row | {_LEFT_OUT: why}])
        return pd.read_csv(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="debtags,debdeps")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--most", type=float, default=600, help="seconds for a run, predictions included")
    parser.add_argument("--again", action="store_true", help="run what is in the table already, too")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one[0], options.one[1], Path(options.one[2]))
        return
    for data in options.data.split(","):
        for key in options.methods.split(","):
            table = pd.read_csv(options.out) if options.out.is_file() else pd.DataFrame(columns=_KEYS)
            same = (table["data"] == data) & (table["key"] == key)
            if same.any() and not options.again:
                continue
            row = measured(data, key, options.most)
            table = pd.concat([table[~same], row], ignore_index=True)
            order = {name: place for place, name in enumerate(METHODS)}
            table = table.sort_values(_KEYS, key=lambda c: c.map(order) if c.name == "key" else c, kind="stable")
            with atomic_path(options.out) as temporary:
                table.to_csv(temporary, index=False)
            print(row.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
