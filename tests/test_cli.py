"""The command line: what it prints, what it writes, and that a mistake is one line and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from xmlwb import cli
from xmlwb.catalogue import DataSetRow
from xmlwb.datasets.resuming import FetchError
from xmlwb.model_choice import chosen_models
from xmlwb.models import KNN, METHODS, OneVsAll


@pytest.fixture
def run(capfd):
    """Run the command; give (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(words))
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def small(monkeypatch, small_dataset):
    """`load` gives the small data set under the name debtags."""
    real = cli._loaded
    monkeypatch.setattr(cli, "_loaded", lambda name, *where: small_dataset if name == "debtags" else real(name, *where))


def test_compare_prints_and_writes(run, small, tmp_path):
    words = ("compare", "--data", "debtags", "--models", "popular,ova", "--param", "ova.C=0.5", "--out", str(tmp_path))
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    for column in ("P@1", "P@3", "P@5", "nDCG@3", "nDCG@5", "PSP@1", "PSP@3", "PSP@5", "train s", "model MB"):
        assert column in out
    assert "popular: the fit needs about" in out
    assert "1/2 popular: fit" in out
    frame = pd.read_parquet(tmp_path / "compare-small.parquet")
    assert list(frame.index) == ["popular", "ova"]
    assert frame.attrs["xmlwb"]["command"] == " ".join(["xmlwb", *words])
    assert "OneVsAll(C=0.5" in frame.attrs["xmlwb"]["model ova"]
    for model in frame.index:
        assert f"{100 * frame.loc[model, 'P@1']:.2f}" in out
    page = (tmp_path / "compare-small.html").read_text(encoding="utf-8")
    assert f"{100 * frame.loc['ova', 'PSP@5']:.2f}" in page
    assert "--param ova.C=0.5" in page


def test_compare_warns_before_a_fit_that_does_not_fit(run, small, tmp_path, monkeypatch):
    monkeypatch.setattr(METHODS["popular"].cls, "memory_estimate", lambda self, n, d, L, nnz: 10**18)
    code, out, _ = run("compare", "--data", "debtags", "--models", "popular", "--out", str(tmp_path))
    assert code == 0
    assert "warning: popular may run out of memory" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("compare", "--data", "debtag"), "did you mean debtags"),
        (("compare", "--data", "bibtex", "--root", "nowhere"), "no files of bibtex found in nowhere"),
        (("compare", "--data", "debtags", "--models", "popular,kn"), "no method is called 'kn'; did you mean knn?"),
        (("compare", "--data", "debtags", "--models", "knn,knn"), "'knn' is named twice"),
        (("compare", "--data", "debtags", "--models", "ova", "--param", "ova.D=1"), "OneVsAll has no such parameter"),
        (("compare", "--data", "debtags", "--models", "ova", "--param", "C=1"), "wanted method.parameter=value"),
        (("compare", "--data", "debtags", "--models", "ova", "--param", "ova.C=big"), "found 'big', wanted a number"),
        (
            ("compare", "--data", "debtags", "--models", "ova", "--param", "ova.C=-1"),
            "C is -1.0; wanted a number above 0",
        ),
        (
            ("compare", "--data", "debtags", "--models", "ova", "--param", "ova.C=1", "--param", "ova.C=2"),
            "is given twice",
        ),
        (("compare", "--data", "debtags", "--models", "ova", "--param", "knn.n_neighbors=3"), "not among the models"),
        (("compare", "--data", "debtags", "--models", "popular", "--out", __file__), "is a file, wanted a folder"),
        (("compare", "--data", "debtags", "--models", "popular", "--k", "13"), "k is 13; wanted 1 <= k <= 12"),
        (("data", "info", "nope"), "no data set is called 'nope'"),
        (("data", "fetch", "nope"), "nope"),
        (("lab", "--notebooks", "nowhere"), "00-tour.ipynb not found"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, small, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*words)
    assert code == 2
    assert says in err
    assert err.startswith("xmlwb: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "something was left behind"


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="no data set"):
        cli.main(["--debug", "data", "info", "nope"])


def test_data_list(run, monkeypatch):
    rows = [DataSetRow("debtags", "debtags", 21066, 6182, None, 571, "in the box")]
    monkeypatch.setattr("xmlwb.catalogue.data_sets", lambda: rows)
    code, out, _ = run("data", "list")
    assert code == 0
    assert ["debtags", "21,066", "6,182", "571", "in", "the", "box"] in [line.split() for line in out.splitlines()]


def test_data_info_shows_the_card(run, monkeypatch, small_dataset):
    monkeypatch.setattr("xmlwb.datasets.load", lambda name, **where: small_dataset)
    code, out, _ = run("data", "info", "debtags")
    assert (code, out.strip()) == (0, small_dataset.card.to_text(80).strip())


def test_data_info_of_a_set_that_is_not_here(run, monkeypatch, tmp_path):
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path))
    code, out, _ = run("data", "info", "mediamill", "--root", str(tmp_path))
    assert code == 0
    assert "labels: 101" in out
    assert "Not on this machine" in out


def test_data_info_takes_a_name_in_any_spelling(run, monkeypatch, tmp_path):
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path))
    code, out, _ = run("data", "info", "Eurlex4K", "--root", str(tmp_path))
    assert code == 0
    assert "labels: 3,993" in out


def test_one_model_that_fails_does_not_lose_the_others(run, small, tmp_path, monkeypatch):
    def fail(self, *args):
        raise MemoryError("no room")

    monkeypatch.setattr(METHODS["knn"].cls, "_fit", fail)
    code, _, err = run("compare", "--data", "debtags", "--models", "knn,popular", "--out", str(tmp_path))
    assert (code, err) == (1, "xmlwb: knn failed: MemoryError: no room\n")
    frame = pd.read_parquet(tmp_path / "compare-small.parquet")
    assert list(frame.index) == ["popular"]
    assert frame.attrs["xmlwb"]["failed knn"] == "MemoryError: no room"
    code, _, err = run("compare", "--data", "debtags", "--models", "knn", "--out", str(tmp_path))
    assert (code, err) == (2, "xmlwb: no room\n")


def test_data_fetch_says_where(run, monkeypatch, tmp_path):
    monkeypatch.setattr("xmlwb.datasets.fetch.fetch", lambda name, force: tmp_path / name)
    code, out, _ = run("data", "fetch", "bibtex")
    assert code == 0
    assert "bibtex is in" in out


def test_a_download_that_failed_says_why(run, monkeypatch):
    def fail(name, force):
        raise FetchError("Bibtex could not be fetched:\n  no network")

    monkeypatch.setattr("xmlwb.datasets.fetch.fetch", fail)
    code, _, err = run("data", "fetch", "bibtex")
    assert (code, err) == (2, "xmlwb: Bibtex could not be fetched:\n  no network\n")


def test_lab_opens_the_first_chapter_with_further_arguments(run, monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / cli.FIRST_CHAPTER).touch()
    monkeypatch.chdir(tmp_path)
    called: list[list[str]] = []

    def fake(command, check):
        called.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(cli.subprocess, "run", fake)
    code, _, _ = run("lab", "--no-browser")
    assert code == 3
    (command,) = called
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--LabApp.default_url=/lab/tree/notebooks/{cli.FIRST_CHAPTER}" in command
    assert "--no-browser" in command
    assert f"--ServerApp.root_dir={tmp_path}" in command


def test_lab_without_jupyterlab(run, monkeypatch):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    code, _, err = run("lab")
    assert code == 2
    assert "pip install 'xmlwb[lab]'" in err


def test_values_are_read_as_the_parameter_is_annotated():
    settings = ["knn.n_neighbors=7", "knn.search=hnsw", "ova.C=2", "ova.n_jobs=none", "ova.random_state=5"]
    models = chosen_models(["knn", "ova"], settings, seed=3, n_jobs=2)
    knn, ova = models["knn"], models["ova"]
    assert isinstance(knn, KNN)
    assert isinstance(ova, OneVsAll)
    assert (knn.n_neighbors, knn.search, knn.random_state, knn.n_jobs) == (7, "hnsw", 3, 2)
    assert (ova.C, ova.n_jobs, ova.random_state) == (2.0, None, 5)
    assert isinstance(knn.n_neighbors, int)
    assert isinstance(ova.C, float)


def test_the_installed_command_runs():
    command = Path(sys.executable).with_name("xmlwb")
    if not command.exists():
        pytest.skip("xmlwb's command is not beside this interpreter")
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert "compare" in shown.stdout


def test_data_check_names_what_is_wrong(run, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = [f"{i % 2} {i % 2}:1 2:0.{i + 1}" for i in range(20)]
    (folder / "train.txt").write_text("\n".join(["20 3 2", *lines]) + "\n")
    (folder / "test.txt").write_text("\n".join(["2 3 2", "0 1:0.5", lines[4]]) + "\n")
    code, out, err = run("data", "check", str(folder))
    assert (code, err) == (0, "")
    assert "warning: test.txt, line 3: the same features as line 6 of train.txt" in out
    assert "labels L" in out
    assert run("data", "check", str(folder), "--strict")[0] == 1
    (folder / "train.txt").write_text("\n".join(["20 3 2", *lines[:-1], "7 1:1"]) + "\n")
    code, out, err = run("data", "check", str(folder))
    assert (code, err) == (1, "")
    assert "error: train.txt, line 21: label index 7, wanted 0..1" in out
    code, out, err = run("data", "check", str(tmp_path / "nowhere"))
    assert (code, err.count("\n")) == (2, 1)
    assert "not found; wanted a folder with data" in err
