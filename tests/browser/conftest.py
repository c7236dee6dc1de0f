"""A JupyterLab server and a Chromium for the browser tests: both fresh, on a free port, without network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_page import LabPage, chromium_path, launch_chromium
from lab_server import serve_lab
from playwright.sync_api import Browser, Page
from trial_notebooks import write_notebook


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if chromium_path() is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with launch_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the Lab server shows."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def lab_server(chromium: Browser, lab_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_lab(lab_folder, tmp_path_factory.mktemp("lab-state")) as address:
        yield address


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page with a profile of its own."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    yield context.new_page()
    context.close()


@pytest.fixture
def open_cells(page: Page, lab_server: str, lab_folder: Path) -> Iterator[Callable[..., LabPage]]:
    """Write code cells into a notebook and open it: ``open_cells("name", [cell, cell])``."""
    opened: list[LabPage] = []

    def open_them(name: str, cells: list[str]) -> LabPage:
        write_notebook(lab_folder / f"{name}.ipynb", cells)
        opened.append(LabPage.open(page, lab_server, f"{name}.ipynb"))
        return opened[-1]

    yield open_them
    for lab in opened:
        lab.shut_down()
