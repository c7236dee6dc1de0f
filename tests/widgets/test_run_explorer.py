"""The explorer without a browser: filters, views, labels and documents of planted runs."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.explorer import RunExplorer, explore
from xmlwb.explorer.app import FOLDERS, page, page_environment, studies_below, voila_command
from xmlwb.explorer.label_view import LabelView

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("planted_runs")


def said_right(dataset: Dataset, share: float, seed: int) -> csr_array:
    """The first label of a share of the test instances, and a wrong one of the others."""
    rng = np.random.default_rng(seed)
    n, L = dataset.Y_test.shape
    first = np.array([dataset.Y_test[[i]].indices[0] for i in range(n)])
    said = np.where(rng.random(n) < share, first, (first + 1) % L)
    return csr_array((np.ones(n, dtype=np.float32), (np.arange(n), said)), shape=(n, L))


def small_runs(dataset: Dataset) -> tuple[pd.DataFrame, dict[str, csr_array]]:
    """Three settings of two methods, 4 seeds each; "ova C=1" is right on 95 % of the instances, the others on 60 %."""
    rows, predicted = [], {}
    for method, label, share in (("ova", "ova C=1", 0.95), ("ova", "ova C=9", 0.6), ("knn", "knn", 0.6)):
        for seed in range(4):
            run = f"{label} {seed}"
            predicted[run] = S = said_right(dataset, share, seed=hash_of(run))
            hits = S.multiply(dataset.Y_test).sum() / S.shape[0]
            C = float(label[-1]) if method == "ova" else np.nan
            rows.append(
                {"study": "small", "run": run, "data": "small", "method": method, "label": label, "seed": seed,
                 "evaluated": "test", "params": f'{{"C": {C}}}' if method == "ova" else "{}", "param.C": C,
                 "status": "ok", "error": None, "P@1": hits, "train s": 1.0 + share}
            )  # fmt: skip
    return pd.DataFrame(rows), predicted


def hash_of(run: str) -> int:
    return sum(ord(letter) * place for place, letter in enumerate(run, start=1))


@pytest.fixture
def small(small_dataset) -> RunExplorer:
    runs, predicted = small_runs(small_dataset)
    return explore(runs, small_dataset, predictions=predicted.get)


def test_every_view_draws_ten_thousand_runs(planted, tmp_path):
    planted.write_study(planted.planted_runs(), tmp_path / "study")
    explorer = explore(tmp_path / "study")
    assert len(explorer.chosen) == 10_000
    assert repr(explorer) == "RunExplorer(10,000 runs)"
    for title in explorer.views:
        view = explorer.see(title)
        assert "Error" not in view.message.value, title
        assert len(view.live.figure) < 600_000, title


def test_filters_narrow_what_is_drawn(planted):
    explorer = explore(planted.planted_runs(2000))
    controls = explorer.choice.controls
    controls["method"].value = ("parabel",)
    assert {trace.name for trace in explorer.view.figure.data if trace.name} == {"parabel"}
    controls["parameter"].value = "n_trees"
    assert list(controls["values"].options) == ["1", "2", "3", "5", "8"]
    controls["values"].value = ("3", "5")
    assert set(explorer.chosen["param.n_trees"]) == {3, 5}
    controls["parameter"].value = "beam"
    controls["values"].value = ("10",)
    assert set(explorer.chosen["param.n_trees"]) == {3, 5}  # a condition stays when another parameter is looked at
    assert set(explorer.chosen["param.beam"]) == {10}
    controls["parameter"].value = "n_trees"
    assert controls["values"].value == ("3", "5")
    controls["words"].value = "shallow"
    assert explorer.chosen["label"].str.contains("shallow").all()
    controls["status"].value = ("failed",)
    assert "Error" not in explorer.view.message.value
    explorer.choice.clear()
    assert len(explorer.chosen) == 2000


def test_nothing_chosen_is_said_in_every_view(planted):
    explorer = explore(planted.planted_runs(300))
    explorer.choice.controls["words"].value = "no such words"
    assert explorer.chosen.empty
    for title in explorer.views:
        assert "Error" not in explorer.see(title).message.value, title


def test_a_view_that_nobody_looks_at_is_not_drawn(planted):
    explorer = explore(planted.planted_runs(600))
    cost = explorer.views["Cost and quality"]
    assert cost.figure is None
    explorer.see("Cost and quality")
    first = cost.figure
    explorer.see("Parameters")
    explorer.choice.controls["method"].value = ("ova",)
    assert cost.figure is first
    assert explorer.see("Cost and quality").figure is not first
    with pytest.raises(ValueError, match="'Costs'"):
        explorer.see("Costs")


def test_a_wrong_turn_keeps_the_figure_and_says_why(planted, monkeypatch):
    explorer = explore(planted.planted_runs(300))
    before = explorer.view.live.figure
    monkeypatch.setattr("xmlwb.explorer.figure_views.parameter_figure", lambda *a, **k: 1 / 0)
    explorer.view.controls["others"].value = "mean"
    assert "ZeroDivisionError" in explorer.view.message.value
    assert explorer.view.live.figure == before


def test_a_click_tells_the_setting_and_makes_it_a(small):
    number = int(small.source.runs.loc[small.source.runs["label"] == "ova C=9", "setting"].iloc[0])
    small.view.live.clicked = {"customdata": number, "count": 1}
    assert "ova C=9" in small._detail.value
    small._as_a.click()
    labels = small.see("Labels")
    assert labels.value("a") == number
    assert labels.value("b") != number


def test_labels_gain_where_a_is_better(small, small_dataset):
    labels = small.see("Labels")
    assert isinstance(labels, LabelView)
    assert labels.message.value == ""
    assert small.source.runs_of(labels.value("a"))["label"].iloc[0] == "ova C=1"  # the best of all
    assert labels.gains["gain"].sum() > 20
    assert set(labels.gains["label"]) <= set(small_dataset.label_names)
    best = labels.gains.nlargest(1, "gain")["label"].item()
    assert best in [text.replace("<br>", " ") for text in labels.figure.layout.yaxis.ticktext]


def test_a_label_leads_to_its_documents(small, small_dataset):
    labels = small.see("Labels")
    index = int(labels.gains.iloc[0]["index"])
    labels.live.clicked = {"customdata": index, "count": 1}
    assert labels._label.value == small_dataset.label_names[index]
    has = int(small_dataset.Y_test[:, [index]].sum())
    assert labels.documents["true"].sum() == has
    assert "A says" in labels.text.value
    assert "feature" in labels.text.value  # no texts: its features
    labels._who.value = "only A finds it"
    assert "only B finds it</b>" not in labels.text.value
    labels._label.value = "no such label"
    assert "no label is called" in labels.text.value


def test_swapping_a_and_b_turns_the_gains(small):
    labels = small.see("Labels")
    before, (a, b) = labels.gains.set_index("label")["gain"], (labels.value("a"), labels.value("b"))
    labels.controls["a"].value, labels.controls["b"].value = b, a
    assert (labels.gains.set_index("label")["gain"] == -before).all()


def test_differences_over_seeds_and_instances_agree(small):
    view = small.see("Significance")
    by_seeds = view.differences
    assert by_seeds["label"].tolist() == ["knn"]  # the best of each other method
    view.controls["others"].value = "best"
    assert len(view.differences) == 2
    assert view.differences["significant"].all()
    view.controls["pairs"].value = "instances"
    assert view.differences["significant"].all()
    assert (view.differences["difference"] < -0.2).all()
    base = int(small.source.runs.loc[small.source.runs["label"] == "knn", "setting"].iloc[0])
    view.controls["base"].value = base
    found = view.differences.set_index("label")
    assert found.loc["ova C=1", "significant"]
    assert not found.loc["ova C=9", "significant"]
    assert found.loc["ova C=1", "adjusted p"] >= found.loc["ova C=1", "p value"]


def test_without_predictions_labels_say_so(planted):
    explorer = explore(planted.planted_runs(300))
    assert "kept no predictions" in explorer.see("Labels").figure.layout.annotations[0].text.replace("<br>", " ")
    view = explorer.see("Significance")
    view.controls["pairs"].value = "instances"
    assert "no predictions" in view.figure.layout.annotations[0].text.replace("<br>", " ")


def test_names_are_text_and_never_markup(small_dataset):
    runs, predicted = small_runs(small_dataset)
    runs["label"] = runs["label"].str.replace("knn", "<img src=x onerror=alert(1)>")
    runs.loc[0, ["status", "error"]] = ["failed", "<script>"]
    explorer = explore(runs, small_dataset, predictions=predicted.get)
    for title in explorer.views:
        view = explorer.see(title)
        assert "<img" not in view.live.figure
        assert "<script" not in view.live.figure
    assert "<img" not in explorer.views["Table"].text.value
    assert "&lt;script&gt;" in explorer.views["Table"].text.value


def test_validation_and_test_rows_are_never_mixed(small_dataset):
    runs, predicted = small_runs(small_dataset)
    other = runs.assign(run="valid " + runs["run"], evaluated="valid")
    explorer = explore(pd.concat([runs, other]), small_dataset, predictions=predicted.get)
    assert explorer.chosen["evaluated"].nunique() == 1
    explorer.choice.controls["evaluated"].value = "valid"
    assert set(explorer.chosen["evaluated"]) == {"valid"}
    assert set(explorer.chosen["seed"]) == set(runs["seed"])


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="found none"):
        explore(pd.DataFrame({"run": []}))


def test_studies_are_found_in_a_folder(planted, tmp_path):
    for name in ("b", "a"):
        planted.write_study(planted.planted_runs(10), tmp_path / name)
    (tmp_path / "c").mkdir()
    assert studies_below(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert studies_below(tmp_path / "a") == [tmp_path / "a"]
    with pytest.raises(FileNotFoundError, match="no study"):
        studies_below(tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="not found"):
        studies_below(tmp_path / "d")


def test_the_page_shows_the_studies_of_the_environment(planted, tmp_path, monkeypatch):
    planted.write_study(planted.planted_runs(50), tmp_path / "a <study>")
    environment = page_environment([tmp_path / "a <study>"])
    monkeypatch.setenv(FOLDERS, environment[FOLDERS])
    shown = page()
    assert "a &lt;study&gt;" in shown.children[0].value
    assert isinstance(shown.children[1], RunExplorer)
    monkeypatch.delenv(FOLDERS)
    assert "xmlwb app FOLDER" in page().value


def test_voila_is_asked_for_one_page_on_this_machine():
    command = voila_command(port=8123, browser=False)
    assert {"--Voila.ip=127.0.0.1", "--port=8123", "--no-browser", "--template=xmlwb"} <= set(command)
    assert "--no-browser" not in voila_command()
    assert Path(next(word for word in command if word.endswith(".ipynb"))).is_file()
