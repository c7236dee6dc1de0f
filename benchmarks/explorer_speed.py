"""How long the explorer takes to open many runs, and to answer a click: ``python benchmarks/explorer_speed.py``.

Writes runs that were never made (`planted_runs`) as a study, opens the folder, looks at every view and turns a filter.
``--folder`` keeps the study, for `xmlwb app`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from planted_runs import planted_runs, write_study

BAR_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the study is written (default: nowhere for long)")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    write_study(planted_runs(arguments.runs), folder)
    begin = time.perf_counter()
    from xmlwb.explorer import explore

    print(f"imports: {time.perf_counter() - begin:.2f} s")
    begin = time.perf_counter()
    explorer = explore(folder)
    opened = time.perf_counter() - begin
    print(f"open {arguments.runs:,} runs: {opened:.2f} s (bar: {BAR_SECONDS} s)")
    for title in explorer.views:
        begin = time.perf_counter()
        view = explorer.see(title)
        spent = time.perf_counter() - begin
        print(f"{title}: {spent:.2f} s, figure {len(view.live.figure) / 1e3:.0f} kB {view.message.value}")
    explorer.see("Parameters")
    begin = time.perf_counter()
    explorer.choice.controls["method"].value = ("ova",)
    print(f"a filter: {time.perf_counter() - begin:.2f} s, {len(explorer.chosen):,} runs left")
    if arguments.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
