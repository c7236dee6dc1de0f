"""Take a picture of a chapter as a reader sees it: ``python tests/browser/screenshot.py CHAPTER.ipynb PICTURE.png``.

Runs the whole notebook in JupyterLab in a headless Chromium, scrolls to a text if one is given, and writes the picture.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from lab_page import LabPage, chromium_path, launch_chromium
from lab_server import serve_lab


def take_picture(notebook: Path, picture: Path, *, at: str | None, width: int, height: int, minutes: float) -> None:
    """Run a copy of the notebook and write the picture of its page.

    Raises
    ------
    AssertionError
        If a cell fails; the picture would show an error.
    """
    with tempfile.TemporaryDirectory() as scratch, launch_chromium() as browser:
        folder = Path(scratch) / "notebooks"
        folder.mkdir()
        shutil.copy(notebook, folder)
        with serve_lab(folder, Path(scratch) / "state") as address:
            page = browser.new_page(viewport={"width": width, "height": height})
            lab = LabPage.open(page, address, notebook.name)
            lab.hide_sidebar()
            lab.run_all(timeout_ms=int(minutes * 60_000))
            lab.scroll_to(at)
            lab.await_drawings()
            lab.scroll_to(at)  # drawings above it may have moved it
            picture.parent.mkdir(parents=True, exist_ok=True)
            lab.screenshot(picture)
            lab.shut_down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", help="scroll until this text stands at the top (default: the notebook's beginning)")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--minutes", type=float, default=10, help="how long the notebook may run")
    arguments = parser.parse_args()
    if not arguments.notebook.is_file():
        parser.error(f"there is no notebook {arguments.notebook}")
    if chromium_path() is None:
        parser.error("no Chromium on this machine (Debian: apt-get install chromium)")
    take_picture(
        arguments.notebook,
        arguments.picture,
        at=arguments.at,
        width=arguments.width,
        height=arguments.height,
        minutes=arguments.minutes,
    )
    print(f"wrote {arguments.picture} ({arguments.picture.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
