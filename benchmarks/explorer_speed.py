"""How long the explorer takes to open many runs, and to answer a click: ``python benchmarks/explorer_speed.py``.

Writes runs that were never made (`planted_runs`) as a study, opens the folder, looks at every view and turns a filter.
``--folder`` keeps the study, for `xmlwb app`. ``--page`` serves it and measures in a browser, from click to figure.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from planted_runs import planted_runs, write_study

BAR_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the study is written (default: nowhere for long)")
    parser.add_argument("--page", action="store_true", help="measure the page of xmlwb app, too (wants chromium)")
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
    if arguments.page:
        measure_page(folder)
    if arguments.folder is None:
        shutil.rmtree(folder)


def measure_page(folder: Path) -> None:
    """Serve the study and look at every view in a browser of 1280 x 800 points."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))
    from lab_page import NotebookPage, launch_chromium

    from xmlwb.explorer.app import page_environment, voila_command

    port = 8917
    command = voila_command(port=port, browser=False)
    with subprocess.Popen(command, env=page_environment([folder]), stderr=subprocess.DEVNULL) as server:
        try:
            _await(f"http://127.0.0.1:{port}/voila/static/voila.js")
            with launch_chromium() as browser:
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                view = NotebookPage(page)
                begin = time.perf_counter()
                page.goto(f"http://127.0.0.1:{port}")
                view.figure()
                print(
                    f"page: {time.perf_counter() - begin:.2f} s to the first figure, a kernel's start and imports in it"
                )
                for title, drawn in _DRAWN.items():
                    begin = time.perf_counter()
                    page.locator(".xmlwb-explorer .widget-toggle-buttons button", has_text=title).click()
                    page.wait_for_function(_SHOWN % drawn)
                    print(f"page, {title}: {time.perf_counter() - begin:.2f} s")
                begin = time.perf_counter()
                page.locator(".xmlwb-explorer .widget-select-multiple select").first.select_option(["debtags"])
                page.wait_for_function(_SHOWN % "(div._fullLayout.annotations ?? []).length === 1")
                print(f"page, a filter: {time.perf_counter() - begin:.2f} s")
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()


_DRAWN = {
    "Frequency bins": "trace.name === 'svd' && trace.y.length === 3",
    "Parallel coordinates": "trace.type === 'parcoords'",
    "Significance": "trace.name === 'worse'",
    "Cost and quality": "trace.name === 'Pareto front'",
}
_SHOWN = """() => [...document.querySelectorAll('.xmlwb-explorer .xmlwb-figure')].some((div) =>
  div.offsetWidth > 0 && (div._fullData ?? []).some((trace) => %s))"""


def _await(address: str) -> None:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing answers at {address}")


if __name__ == "__main__":
    main()
