"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xmlwb import readme

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "xmlwb"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: From the ground up. A module imports from its own floor or a lower one.
FLOORS = [
    {"atomic"},
    {"datasets"},
    {"metrics", "ranking", "significance", "multiplicity", "label_graph"},
    {"solvers"},
    {"models", "model_choice"},
    {"tails", "power_law", "run_table", "run_differences", "label_gains"},
    {"plots"},
    {"report", "comparison", "studies"},
    {"widgets", "explorer"},
    {"lessons"},
    {"catalogue", "readme", "cli", "book"},
]
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def room_of(module: Path) -> str:
    """The name right under xmlwb: "models" for xmlwb/models/knn.py."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[str]:
    depth = len(module.relative_to(PACKAGE).parts) - 1  # packages between the file and xmlwb
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found = node.module or ""
            names = [f"xmlwb.{alias.name}" for alias in node.names] if found == "xmlwb" else [found]
        elif isinstance(node, ast.ImportFrom) and node.level > depth:
            names = [f"xmlwb.{node.module or alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("xmlwb."):
                yield name.split(".")[1]


def relative(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PACKAGE)) for path in paths]


@pytest.mark.parametrize("module", MODULES, ids=relative(MODULES))
def test_imports_run_downward(module):
    room = room_of(module)
    if room == "__init__":
        assert not list(imported_rooms(module))
        return
    assert room in FLOOR_OF, f"{module.name} stands on no floor; list it in FLOORS"
    above = {other for other in imported_rooms(module) if other in FLOOR_OF and FLOOR_OF[other] > FLOOR_OF[room]}
    assert not above, f"{module} imports from above: {sorted(above)}"


def test_the_floor_check_sees_an_import_from_above(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "models").mkdir()
    module = tmp_path / "models" / "m.py"
    for text in (
        "import xmlwb.plots.theme",
        "from xmlwb import plots",
        "from xmlwb.plots import x",
        "from ..plots import x",
    ):
        module.write_text(text)
        assert list(imported_rooms(module)) == ["plots"], text
    module.write_text("from . import base\nfrom .base import x")
    assert list(imported_rooms(module)) == []


def test_modules_are_short_and_well_named():
    long = {str(path): n for path in MODULES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 350}
    assert not long
    vague = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
    assert not [path for path in MODULES if path.stem in vague]


def test_nothing_executes_on_loading():
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (pickle|dill|cloudpickle|marshal|shelve)\b", text, re.MULTILINE), (
            module
        )
        assert not re.search(r"\b(joblib\.(load|dump)|torch\.load|allow_pickle=True)\b", text), module
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert not [f for f in calls if isinstance(f, ast.Name) and f.id in ("eval", "exec")], module


def test_readme_tables_are_up_to_date():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_tables(text) == text, "wanted: python -m xmlwb.readme --write"


def test_readme_check_fails_on_an_old_table(tmp_path, monkeypatch, capsys):
    old = readme.README.read_text(encoding="utf-8").replace("| `ova` |", "| `ovr` |")
    (tmp_path / "README.md").write_text(old, encoding="utf-8")
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    assert readme.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert readme.main(["--write"]) == 0
    assert readme.main(["--check"]) == 0


def test_readme_lists_only_chapters_that_exist(tmp_path):
    assert readme.chapter_table(tmp_path).count("\n") == 1
    (tmp_path / "notebooks").mkdir()
    first = readme.CHAPTERS[0]
    (tmp_path / first.path).touch()
    assert first.title in readme.chapter_table(tmp_path)


def test_readme_needs_a_place_for_each_table():
    with pytest.raises(ValueError, match="no place for the table of chapters"):
        readme.with_tables("# xmlwb")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_pages_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_contributing_fits_on_a_page():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_conda_and_pip_ask_for_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    parts = ("hnsw", "book", "cluster", "words", "lab", "dev")
    wanted = [*project["dependencies"], *(line for part in parts for line in extras[part])]
    conda_names = {"playwright": "playwright-python", "torch": "pytorch"}
    wanted = [
        re.sub(r"^[\w-]+", lambda name: conda_names.get(name[0], name[0]), line)
        for line in wanted
        if not line.startswith("xmlwb")
    ]
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    offered = {line.strip().removeprefix("- ") for line in lines if line.lstrip().startswith("- ")}
    assert not set(wanted) - offered


def test_the_wheel_holds_the_data_and_every_module(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"xmlwb/{path}" for path in relative(MODULES)} <= held
    assert "xmlwb/datasets/bundled/debian.parquet" in held
    assert wheel.stat().st_size < 25e6


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in wanted} - {"xmlwb"}  # type: ignore[index]
    assert not {name for name in names if f"\n{name}==" not in pins}
