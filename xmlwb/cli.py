"""The command ``xmlwb``: data sets, comparisons, and the notebooks.

A mistake of the user (a name, a path, a value) ends in one line on stderr and exit code 2, a failed download in its
reasons; ``--debug`` before the command shows the traceback instead. A comparison of which a model failed ends in 1.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from xmlwb.comparison import Comparison
    from xmlwb.datasets import Dataset
    from xmlwb.models.callbacks import Event

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__.splitlines()[0] if __doc__ else None)
data_app = typer.Typer(no_args_is_help=True, help="List, describe and download data sets.")
app.add_typer(data_app, name="data")
# A pipe or a log file has no width of its own; 80 columns would break the table.
console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)

_WIDE_TABLE = 110
FIRST_CHAPTER = "00-tour.ipynb"
Root = Annotated[
    Path | None, typer.Option(help="Folder that holds a standard set's files (default: $XMLWB_DATA, then the cache).")
]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends in SystemExit with 0, 2 for a mistake of the user, or 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = words[:1] == ["--debug"]
    try:
        app(words[debug:], prog_name="xmlwb", obj=shlex.join(["xmlwb", *words]))
    except (ValueError, OSError, ImportError, MemoryError) as error:
        if debug:
            raise
        typer.echo(f"xmlwb: {str(error) or 'out of memory'}", err=True)
        sys.exit(2)


@app.callback()
def _top() -> None:
    """Teach and study extreme multi-label classification."""


@data_app.command("list")
def data_list() -> None:
    """List the data sets by name, with their sizes."""
    from xmlwb.catalogue import data_sets

    table = Table(box=None, header_style="bold")
    for column in ("name", "train", "test", "features", "labels", "where"):
        table.add_column(column, justify="left" if column in ("name", "where") else "right")
    for row in data_sets():
        table.add_row(row.key, *map(_count, (row.n_train, row.n_test, row.n_features, row.n_labels)), row.origin)
    console.print(table)
    console.print("\nxmlwb data info NAME says more; xmlwb data fetch NAME downloads a standard set.", style="dim")


@data_app.command("info")
def data_info(name: str, root: Root = None, split: int | None = None) -> None:
    """Show a data set's card: source, licence, how it was made, figures, known faults."""
    from xmlwb.catalogue import published_facts
    from xmlwb.datasets import load
    from xmlwb.datasets.registry import set_info
    from xmlwb.datasets.standard import SetNotFoundError

    try:
        text = load(name, root=root, split=split).card.to_text(min(console.width, 100))
    except SetNotFoundError as error:
        text = f"{published_facts(set_info(name))}\n\nNot on this machine: {error}"
    typer.echo(text)


@data_app.command("fetch")
def data_fetch(
    name: str, force: Annotated[bool, typer.Option("--force", help="Download again although it is there.")] = False
) -> None:
    """Download a standard set, with progress; a download that broke off is taken up again."""
    from xmlwb.datasets.fetch import fetch
    from xmlwb.datasets.resuming import FetchError

    try:
        folder = fetch(name, force=force)
    except FetchError as error:
        raise OSError(str(error)) from error
    console.print(f"{name} is in {folder}", highlight=False, soft_wrap=True)


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="A folder in any of the formats, or one file.")],
    form: Annotated[str | None, typer.Option(help="The format (default: found by the files' names).")] = None,
    text_fields: Annotated[str | None, typer.Option(help="JSON lines: the fields with the text, by commas.")] = None,
    label_field: Annotated[str | None, typer.Option(help="JSON lines: the field with the labels.")] = None,
    arff_labels: Annotated[str | None, typer.Option(help="ARFF: 6 (the first six), -6 (the last), or XML.")] = None,
    split: Annotated[int | None, typer.Option(help="Which of the given splits, from 0.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings end in exit code 1 too.")] = False,
) -> None:
    """Show all that is wrong with a folder of your own data, and its card; exit code 1 if there are errors."""
    from xmlwb.datasets.own import check_folder

    fields = text_fields.split(",") if text_fields else None
    chosen = {"label_field": label_field, "arff_labels": arff_labels, "split": split}
    found = check_folder(folder, form=form, text_fields=fields, **chosen)  # type: ignore[arg-type]
    typer.echo(found.to_text(min(console.width, 100)))
    if found.errors or (strict and found.warnings):
        raise typer.Exit(1)


@app.command()
def compare(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="A data set's name; see xmlwb data list.")],
    models: Annotated[str, typer.Option(help="Methods, separated by commas.")] = "popular,knn,ova",
    root: Root = None,
    split: Annotated[int | None, typer.Option(help="Which of the set's given splits.")] = None,
    k: Annotated[int, typer.Option(min=1, help="Labels predicted an instance.")] = 5,
    param: Annotated[list[str] | None, typer.Option(help="A method's parameter, such as ova.C=2; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="random_state of every method that takes one.")] = 0,
    jobs: Annotated[int | None, typer.Option(help="n_jobs of every method that takes one.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results (default: the current one).")] = None,
) -> None:
    """Fit methods on one data set; print a table, write it as Parquet and as an HTML page with plots."""
    from xmlwb.comparison import compare as run
    from xmlwb.model_choice import chosen_models

    folder = _writable(out or Path.cwd())
    chosen = chosen_models(models.split(","), param or [], seed=seed, n_jobs=jobs)
    with console.status(f"loading {data}"):
        dataset = _loaded(data, root, split)
    console.print(dataset, highlight=False)
    _say_memory(dataset, chosen)
    with _LiveLine(chosen) as line:
        result = run(dataset, chosen, k=k, progress=line, about={"command": context.obj, "seed": str(seed)})
    _print_result(result)
    stem = folder / f"compare-{dataset.name}"
    result.to_parquet(parquet := stem.with_name(f"{stem.name}.parquet"))
    result.to_html(page := stem.with_name(f"{stem.name}.html"))
    console.print(f"Written: {parquet} and {page}", highlight=False, soft_wrap=True)
    for name, message in result.failures.items():
        typer.echo(f"xmlwb: {name} failed: {message}", err=True)
    if result.failures:
        raise typer.Exit(1)


@app.command()
def sweep(
    study: Annotated[Path, typer.Argument(help="A YAML file with the arguments of xmlwb.studies.Study.")],
    out: Annotated[Path | None, typer.Option(help="The study's folder (default: the file's name, here).")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at once (default: as many as there are CPUs).")] = None,
    dask: Annotated[bool, typer.Option("--dask", help="Run on Dask workers of this machine.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Run on the Dask cluster at this address.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing and what it will cost.")] = False,
    no_forecast: Annotated[bool, typer.Option("--no-forecast", help="Start at once.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Make failed runs again.")] = False,
) -> None:
    """Run a study; the same command again makes only what is missing."""
    from xmlwb.studies import Study
    from xmlwb.studies.sweep_view import SweepView, print_forecast, print_summary

    wanted = Study.from_yaml(study)
    folder = out or Path(study.stem)
    if folder.is_file():
        raise ValueError(f"--out: {folder} is a file, wanted a folder")
    if dry_run or not no_forecast:
        with console.status("forecasting"):
            cost = wanted.forecast(folder, n_jobs=jobs)
        print_forecast(console, cost)
    if dry_run:
        return
    folder = _writable(folder)
    try:
        with SweepView(console) as view:
            runs = wanted.run(folder, n_jobs=jobs, dask=scheduler or dask, callback=view, retry_failed=retry_failed)
    except KeyboardInterrupt:
        typer.echo(f"xmlwb: stopped; finished runs are kept in {folder}, the same command goes on from there", err=True)
        raise typer.Exit(130) from None
    print_summary(console, runs)
    console.print(f"Written: {folder}", highlight=False, soft_wrap=True)
    failed = runs[runs["status"] == "failed"]
    for _, row in failed.iterrows():
        typer.echo(f"xmlwb: {row['data']} {row['label']} seed {row['seed']} failed: {row['error']}", err=True)
    if len(failed):
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    context: typer.Context,
    notebooks: Annotated[Path | None, typer.Option(help="Folder of the notebooks (default: the clone's).")] = None,
) -> None:
    """Open JupyterLab on the first chapter; further arguments go to JupyterLab."""
    if find_spec("jupyterlab") is None:
        raise ImportError("JupyterLab is not installed; wanted: pip install 'xmlwb[lab]'")
    folder = notebooks or _notebooks()
    first = folder / FIRST_CHAPTER
    if not first.is_file():
        raise FileNotFoundError(f"{first} not found; run this inside a clone of the repository, or pass --notebooks")
    # The clone is the root, so that the chapters' links to other files work. No news, no search for updates: offline.
    options = {
        "ServerApp.root_dir": folder.resolve().parent,
        "LabApp.default_url": f"/lab/tree/{folder.resolve().name}/{FIRST_CHAPTER}",
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    command += context.args
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        console.print("You are root: JupyterLab is started with --allow-root.", style="yellow")
        command.append("--allow-root")
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command("app")
def explorer_app(
    folder: Annotated[
        Path | None, typer.Argument(help="A study, or a folder of studies (default: the current one).")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the page (default: one that is free).")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Serve the explorer of a study's runs as a page of its own, on this machine, offline."""
    if find_spec("voila") is None:
        raise ImportError("Voila is not installed; wanted: pip install 'xmlwb[lab]'")
    from xmlwb.explorer.app import page_environment, studies_below, voila_command

    folders = studies_below(folder or Path.cwd())
    command, environment = voila_command(port=port, browser=browser), page_environment(folders)
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


class _LiveLine:
    """One line that says which model is at what, and a line of figures for each that is done."""

    def __init__(self, models: Iterable[str]) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[figures]}"), console=console, transient=True)
        self._models = list(models)
        self._task = self._progress.add_task("starting", total=None, figures="")
        self._last = ("", "")

    def __enter__(self) -> _LiveLine:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, name: str, phase: str, event: Event | None) -> None:
        if (name, phase) != self._last:
            self._last = (name, phase)
            place = f"{self._models.index(name) + 1}/{len(self._models)} {name}: {phase}"
            self._progress.reset(self._task, total=None, description=place, figures="")
            if not console.is_terminal:
                console.print(place, highlight=False)
        if event is not None:
            figures = "  ".join(f"{what} {value:.4g}" for what, value in event.figures.items())
            self._progress.update(self._task, total=event.total, completed=event.step, figures=figures)


def _loaded(name: str, root: Path | None, split: int | None) -> Dataset:
    from xmlwb.datasets import load
    from xmlwb.datasets.standard import SetNotFoundError

    try:
        return load(name, root=root, split=split)
    except SetNotFoundError as error:
        where = f"in {root}" if root else "on this machine"
        raise FileNotFoundError(
            f"no files of {name} found {where}; `xmlwb data fetch {name}` downloads it, "
            f"`xmlwb data info {name}` says which files are wanted and where"
        ) from error


def _say_memory(dataset: Dataset, models: dict[str, Any]) -> None:
    from psutil import virtual_memory

    from xmlwb.comparison import memory_needs

    free = virtual_memory().available
    for name, need in memory_needs(dataset, models).items():
        console.print(f"{name}: the fit needs about {_size(need)} ({_size(free)} available)", highlight=False)
        if need > free:
            console.print(f"warning: {name} may run out of memory", style="bold yellow")


def _print_result(result: Comparison) -> None:
    from xmlwb.comparison import COSTS

    whole = [*result.metrics, *COSTS]
    title: str | None = f"{result.dataset.name}, quality in per cent"
    for columns in [whole] if console.width >= _WIDE_TABLE else [result.metrics, list(COSTS)]:
        table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 1))
        table.add_column("model", no_wrap=True)
        for column in columns:
            table.add_column(column, justify="right")
        for model, row in result.table.iterrows():
            cells = (f"{100 * row[c]:.2f}" if c in result.metrics else _figure(row[c]) for c in columns)
            table.add_row(str(model), *cells)
        console.print(table)
        title = None


def _notebooks() -> Path:
    """The notebooks of the clone that this runs in, or of the one that xmlwb is installed from (editable)."""
    clone = Path(__file__).resolve().parent.parent / "notebooks"
    here = Path.cwd() / "notebooks"
    return here if (here / FIRST_CHAPTER).is_file() else clone


def _writable(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out: {folder} is a file, wanted a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ValueError(f"--out: {folder} cannot be written to")
    return folder


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
