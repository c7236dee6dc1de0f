"""A form for one's own data: where it is, what is wrong with it, its card, a first study, and the explorer on that."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ipywidgets as widgets

from xmlwb.datasets import Card, Dataset
from xmlwb.datasets.own import FORMS, FolderCheck, check_folder, faults_table
from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.controls import STYLE
from xmlwb.widgets.first_study import FirstStudy
from xmlwb.widgets.messages import error_line, plain_line, warning_line

TABS = ("What is wrong", "Card", "First study", "Explore")
_UNPACKED = 2 << 30  # bytes of an archive
_FIRST = "<p>Name a folder above and press Check.</p>"
_BY_ITSELF = "found by itself"


class OwnData(widgets.VBox):
    """Check a folder of data, see its card, run a first study on it, and explore the result.

    Parameters
    ----------
    path : path-like, optional
        A folder in any of `xmlwb.datasets.own.FORMS`, or one file. It is checked at once.
    form : str, optional
        Key of `FORMS`; None finds it by the files' names.
    study_folder : path-like, optional
        Where the first study is kept; by default a temporary folder.
    n_jobs : int, optional
        As in `Study.run`.
    **options
        Those of `check_folder`: text_fields, label_field, arff_labels, split, test_share, unit_rows.

    Attributes
    ----------
    found : FolderCheck or None
        The latest check.
    dataset : Dataset or None
        Of the rows that could be read.
    study : FirstStudy or None
    explorer : RunExplorer or None
        Once the study has runs.
    controls : dict of str to widget
    """

    def __init__(
        self,
        path: str | os.PathLike = "",
        *,
        form: str | None = None,
        study_folder: str | os.PathLike | None = None,
        n_jobs: int | None = None,
        **options: Any,
    ) -> None:
        self.found: FolderCheck | None = None
        self.study: FirstStudy | None = None
        self.explorer: widgets.Widget | None = None
        self._study_folder, self._n_jobs = study_folder, n_jobs
        self._uploaded: TemporaryDirectory[str] | None = None
        self._checking = threading.Lock()
        self.controls = _controls(os.fspath(path), form, options)
        self._button = widgets.Button(description="Check", icon="search", button_style="primary")
        self._button.on_click(lambda _button: self._check_beside())
        hear_beside_cells(self._button)
        self._status = widgets.HTML()
        self.controls["upload"].observe(lambda change: self._take(change["new"]), names="value")
        self.controls["form"].observe(lambda _: self._show_options(), names="value")
        self._options = widgets.Box(layout={"flex_flow": "row wrap", "grid_gap": "4px 20px"})
        self._wrong, self._card = widgets.HTML(_FIRST), widgets.HTML(_FIRST)
        self._tabs = widgets.Tab(
            [self._wrong, self._card, widgets.HTML(_FIRST), widgets.HTML(_FIRST)],
            titles=TABS,
            layout={"width": "99%"},
        )
        where = widgets.Box(
            [self.controls["path"], self.controls["upload"], self.controls["form"], self._button],
            layout={"flex_flow": "row wrap", "grid_gap": "4px 12px", "align_items": "center"},
        )
        super().__init__([where, self._options, self._status, self._tabs])
        self.add_class("xmlwb-own-data")
        self._show_options()
        if path:
            self.check()

    @property
    def dataset(self) -> Dataset | None:
        """The data set of the latest check."""
        return None if self.found is None else self.found.dataset

    def check(self) -> FolderCheck | None:
        """Check the folder that the form names, and show what was found; None where the form itself is wrong."""
        with self._checking:
            if self.study is not None and hasattr(self.study, "live") and self.study.live.running:
                self._status.value = warning_line("The first study is running; stop it before you check anew.")
                return None
            self._button.disabled = True
            self._status.value = plain_line("reading ...")
            try:
                if not self.controls["path"].value.strip():
                    raise ValueError("no folder is named; write its path, or upload its files")
                self.found = check_folder(self.controls["path"].value.strip(), **self._chosen())
            except (ValueError, OSError) as error:
                self._status.value = error_line(error)
                return None
            finally:
                self._button.disabled = False
            self._show()
            return self.found

    def _check_beside(self) -> None:
        threading.Thread(target=self._check_or_say, name="OwnData", daemon=True).start()

    def _check_or_say(self) -> None:
        try:
            self.check()
        except Exception as error:  # a thread has nobody else to tell
            self._status.value = error_line(error)

    # -- options ---------------------------------------------------------------------------------------------------

    def _chosen(self) -> dict[str, Any]:
        """The arguments of `check_folder` that the form says."""
        controls = self.controls
        fields = [field.strip() for field in controls["text_fields"].value.split(",") if field.strip()]
        return {
            "form": controls["form"].value or None,
            "text_fields": fields or None,
            "label_field": controls["label_field"].value.strip() or None,
            "arff_labels": controls["arff_labels"].value.strip() or None,
            "split": controls["split"].value,
            "test_share": controls["test_share"].value,
            "unit_rows": controls["unit_rows"].value,
        }

    def _show_options(self) -> None:
        """Only the options that the format needs."""
        form = self.controls["form"].value or (self.found and self.found.form)
        names = list(FORMS[form].options) if form else []
        if self.found is not None and self.found.form == form and "test_share" not in self.found.used:
            names = [name for name in names if name != "test_share"]
        self._options.children = tuple(self.controls[name] for name in names)

    def _take(self, files: Iterable[Mapping[str, Any]]) -> None:
        """Uploaded files become a folder; an archive is unpacked."""
        try:
            folder = TemporaryDirectory(prefix="xmlwb-upload-")
            for file in files:
                store_upload(Path(folder.name), str(file["name"]), bytes(file["content"]))
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            self._status.value = error_line(error)
            return
        self._uploaded, before = folder, self._uploaded
        self.controls["path"].value = folder.name
        if before is not None:
            before.cleanup()
        self._check_beside()

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _show(self) -> None:
        found = self.found
        assert found is not None
        if found.form is not None:
            for name in ("text_fields", "label_field"):
                taken = found.used.get(name)
                taken = ", ".join(taken) if isinstance(taken, list) else taken
                self.controls[name].placeholder = f"guessed: {taken}" if taken else ""
            self.controls["split"].max = max(0, found.n_splits - 1)
        self._show_options()
        self._status.value = plain_line(found.summary)
        self._wrong.value = faults_table(found.faults)
        self.explorer = self.study = None
        later: widgets.Widget = widgets.HTML("<p>Nothing can be studied before the errors are mended.</p>")
        if found.dataset is not None:
            self._card.value = card_html(found.dataset.card)
            self.study = FirstStudy(
                found.dataset,
                broken=len(found.errors),
                folder=self._study_folder,
                n_jobs=self._n_jobs,
                on_end=self._explore,
            )
            later = self.study
        else:
            self._card.value = "<p>No card: no data set could be made of what was read.</p>"
        self._tabs.children = (self._wrong, self._card, later, widgets.HTML("<p>Run the first study first.</p>"))

    def _explore(self, study: FirstStudy) -> None:
        """Put the study's runs into the explorer."""
        from xmlwb.explorer import explore
        from xmlwb.studies import read_predictions

        if study is not self.study:
            return
        runs = study.live.runs
        if not (runs["status"] == "ok").any():
            return
        explorer = explore(runs, study.dataset, predictions=partial(read_predictions, study.folder))
        # Parameters do not vary here, and with fewer than five labels there is nothing by frequency bin.
        binned = any(str(column).endswith(" head") and runs[column].notna().any() for column in runs)
        explorer.see("Frequency bins" if binned else "Cost and quality")
        self.explorer = explorer
        self._tabs.children = (*self._tabs.children[:3], explorer)


def card_html(card: Card) -> str:
    """A data card as HTML; nothing in it is taken for markup but the card's own tables and lists."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(card.to_markdown()))


def store_upload(folder: Path, name: str, content: bytes) -> None:
    """Write an uploaded file into the folder; of a zip archive its files, all side by side.

    Raises
    ------
    ValueError
        An archive that unpacks to more than 2 GB.
    zipfile.BadZipFile
    """
    if not name.lower().endswith(".zip"):
        (folder / Path(name.replace("\\", "/")).name).write_bytes(content)
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        size = sum(member.file_size for member in members)
        if size > _UNPACKED:
            raise ValueError(f"{name}: {size / 1e9:.1f} GB unpacked, wanted at most {_UNPACKED / 1e9:.1f}; name a path")
        for member in members:
            (folder / Path(member.filename.replace("\\", "/")).name).write_bytes(archive.read(member))


def _controls(path: str, form: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The form's fields, with what was given."""
    known = {"text_fields", "label_field", "arff_labels", "split", "test_share", "unit_rows"}
    for name in options:
        if name not in known:
            raise TypeError(f"OwnData has no option {name!r}; wanted one of {', '.join(sorted(known))}")
    fields = options.get("text_fields") or ()
    fields = fields if isinstance(fields, str) else ", ".join(fields)
    split = options.get("split") or 0
    text = partial(widgets.Text, style=STYLE, continuous_update=False)
    return {
        "path": text(
            value=path, description="folder", placeholder="path of a folder or a file", layout={"width": "420px"}
        ),
        "upload": widgets.FileUpload(
            multiple=True, description="or upload", tooltip="Small files, all at once, or one zip; large ones by path"
        ),
        "form": widgets.Dropdown(
            options=[(_BY_ITSELF, ""), *((made.title, key) for key, made in FORMS.items())],
            value=form or "", description="format", style=STYLE,
        ),
        "text_fields": text(value=fields, description="text fields (by commas)"),
        "label_field": text(value=options.get("label_field") or "", description="label field"),
        "arff_labels": text(
            value=str(options.get("arff_labels") or ""), description="labels: how many at the front (-6: at the end)",
            placeholder="or an XML file", layout={"width": "420px"},
        ),
        "split": widgets.BoundedIntText(
            value=split, min=0, max=max(9, split), description="split", style=STYLE
        ),
        "test_share": widgets.FloatSlider(
            value=options.get("test_share", 0.2), min=0.05, max=0.5, step=0.05, readout_format=".0%",
            description="drawn for the test part", style=STYLE, layout={"width": "360px"},
        ),
        "unit_rows": widgets.Checkbox(
            value=options.get("unit_rows", True), indent=False, description="divide rows by their length",
            layout={"width": "auto"},
        ),
    }  # fmt: skip
