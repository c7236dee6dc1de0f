"""The form for one's own data without a browser: what it says, what it asks for, and the first study."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from xmlwb.explorer import RunExplorer
from xmlwb.widgets.first_study import first_methods, verdict
from xmlwb.widgets.own_data import OwnData, card_html, store_upload

PATIENCE = 90


def rows(n: int, broken: dict[int, str] | None = None) -> str:
    """A file of the Repository: the label is the feature that is 1."""
    rng = np.random.default_rng(0)
    lines = [f"{i % 4} {i % 4}:1 {4 + i % 3}:{rng.random():.4f}" for i in range(n)]
    for i, text in (broken or {}).items():
        lines[i] = text
    return "\n".join([f"{n} 7 4", *lines]) + "\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.txt").write_text(rows(300))
    return tmp_path / "mine"


def options(own: OwnData) -> set[str]:
    return {name for name, control in own.controls.items() if control in own._options.children}


def test_from_a_folder_to_the_explorer(folder, tmp_path):
    own = OwnData(folder, study_folder=tmp_path / "runs", n_jobs=1)
    assert "mine: Repository: train and test files; 0 errors, 0 warnings, 1 note" in own._status.value
    assert "60 of 300 instances are drawn" in own._wrong.value
    assert "<h2>mine</h2>" in own._card.value
    assert "<td" in own._card.value
    assert options(own) == {"test_share", "unit_rows"}
    assert own.study is not None
    assert own.study.live.status == "ready: 3 runs; press Start"
    own.study.live._start_button.click()
    runs = own.study.live.result(PATIENCE)
    assert list(runs["method"]) == ["popular", "knn", "ova"]
    assert set(runs["evaluated"]) == {"valid"}
    assert "is best: P@1 " in own.study._says.value
    assert isinstance(own.explorer, RunExplorer)
    assert own._tabs.children[3] is own.explorer
    labels = own.explorer.see("Labels")
    assert "Error" not in labels.message.value
    assert (tmp_path / "runs" / "study.yaml").is_file()


def test_errors_hold_the_study_back_until_the_sound_rows_will_do(folder):
    (folder / "train.txt").write_text(rows(300, {4: "1 1:x", 9: "9 1:1"}))
    own = OwnData(folder, n_jobs=1)
    assert "train.txt, line 6" in own._wrong.value
    assert "train.txt, line 11" in own._wrong.value
    assert own.study is not None
    assert not hasattr(own.study, "live")
    assert "2 error(s)" in own.study.children[0].value
    own.study.controls["sound"].value = True
    assert own.study.live.status == "ready: 3 runs; press Start"
    assert own.dataset is not None
    assert own.dataset.n_train + own.dataset.X_test.shape[0] == 298


def test_fewer_rows_and_other_methods(tmp_path):
    (tmp_path / "train.txt").write_text(rows(1600))
    own = OwnData(tmp_path, n_jobs=1)
    assert own.study is not None
    own.study.controls["rows"].value = 1000
    own.study.controls["methods"].value = ("popular", "parabel")
    planned = own.study.study()
    assert (planned.n_runs, planned.sources[0].rows) == (2, 1000)
    own.study.controls["methods"].value = ()
    assert "at least one method" in own.study.children[1].value


def test_the_form_asks_for_what_the_format_needs(tmp_path):
    own = OwnData()
    assert options(own) == set()
    own.controls["form"].value = "arff"
    assert options(own) == {"arff_labels", "test_share", "unit_rows"}
    own.controls["form"].value = "splits"
    assert options(own) == {"split", "unit_rows"}
    own.controls["form"].value = ""
    documents = [{"body": f"word{i % 5} and more{i}", "tags": [f"t{i % 3}"]} for i in range(60)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, documents)))
    own.controls["path"].value = str(tmp_path)
    assert own.check() is own.found
    assert options(own) == {"text_fields", "label_field", "test_share"}
    assert own.controls["text_fields"].placeholder == "guessed: body"
    assert own.controls["label_field"].placeholder == "guessed: tags"
    own.controls["label_field"].value = "tag"
    own.check()
    assert "wanted the labels in &#x27;tag&#x27;" in own._wrong.value
    assert own.dataset is None
    assert "No card" in own._card.value


def test_a_mistake_in_the_form_is_said(tmp_path):
    own = OwnData()
    assert own.check() is None
    assert "no folder is named" in own._status.value
    own.controls["path"].value = str(tmp_path / "nowhere")
    own.check()
    assert "not found" in own._status.value
    assert not own._button.disabled
    own.controls["path"].value = str(tmp_path)
    own.check()
    assert "none of the formats" in own._wrong.value
    with pytest.raises(TypeError, match="no option 'shares'"):
        OwnData(tmp_path, shares=3)


def test_uploaded_files_become_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(OwnData, "_check_beside", lambda self: self.check())
    own = OwnData()
    own._take([{"name": "../train.txt", "content": memoryview(rows(50).encode())}])
    assert own.dataset is not None
    assert own.dataset.n_train == 40
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mine/train.txt", rows(30))
        archive.writestr("../../mine/test.txt", rows(10))
    own._take([{"name": "mine.zip", "content": packed.getvalue()}])
    assert (own.dataset.n_train, own.dataset.X_test.shape[0]) == (30, 10)
    own._take([{"name": "broken.zip", "content": b"no archive"}])
    assert "not a zip file" in own._status.value
    monkeypatch.setattr("xmlwb.widgets.own_data._UNPACKED", 100)
    with pytest.raises(ValueError, match="unpacked, wanted at most"):
        store_upload(tmp_path, "mine.zip", packed.getvalue())


def test_names_of_files_and_labels_are_no_markup(tmp_path):
    (tmp_path / "<b>mine").mkdir()
    (tmp_path / "<b>mine" / "train.txt").write_text(rows(50))
    own = OwnData(tmp_path / "<b>mine")
    assert "<b>mine" not in own._status.value + own._card.value
    assert own.dataset is not None
    assert "&lt;b&gt;mine" in card_html(own.dataset.card)


def test_a_study_that_learns_nothing_says_so(small_dataset):
    row = {"status": "ok", "method": "popular", "label": "popular", "P@1": 0.30, "P@1 low": 0.2, "P@1 high": 0.4}
    same = {**row, "method": "knn", "label": "knn", "P@1": 0.35, "P@1 low": 0.25, "P@1 high": 0.45}
    assert verdict(pd.DataFrame([row, same])).startswith("Nothing is clearly better")
    assert "knn has P@1 35.0 %, against 30.0 %" in verdict(pd.DataFrame([row, same]))
    assert verdict(pd.DataFrame([row])) == verdict(pd.DataFrame()) == ""
    assert first_methods(small_dataset) == ("popular", "knn", "ova")
