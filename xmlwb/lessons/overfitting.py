"""Chapter 07: a network overfits while one watches; Stop, look, go on; the gap with and without regularisation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from xmlwb.plots.generalization_gap import GapRun, gap_figure
from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.controls import control
from xmlwb.widgets.live_fit import LiveFit

#: The regularisers of the menu, by the names that the chapter uses.
REGULARIZERS: dict[str, str | None] = {
    "none": None,
    "spread-out": "spread-out",
    "graph Laplacian": "laplacian",
    "Gravity": "gravity",
    "GLaS": "glas",
}


class GapFit(LiveFit):
    """A fit with its regularisation set by hand, whose gap is a number that moves; it can go on after a Stop.

    Every run keeps its state in a folder of its own, as a checkpoint after each epoch; *Go on* resumes from it, so that
    a stopped run that goes on learns what one learns that was never stopped. Earlier runs stay in the figure.

    Parameters
    ----------
    make : callable
        ``make(regularizer=..., regularization=..., keep_probability=..., checkpoint_dir=...)``, and further arguments
        of ``settings``, returns an unfitted model whose events have "train P@1" and "valid P@1".
    X, Y : sparse arrays, shapes (n, d) and (n, L)
    eval_set : (X_valid, Y_valid)
        The rows of the second curve. Not test rows: the reader will choose by what they show.
    settings : mapping of argument to list of values, optional
        Further menus, such as ``{"n_components": [16, 64]}``; the first value is where a menu stands.
    start_values : mapping, optional
        Where the regularisation's controls stand: "regularizer", "regularization", "keep_probability".

    Attributes
    ----------
    controls : dict of str to widget
        What the next Start will train with.
    runs : list of GapRun
        Earlier runs, and last the present one.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        X: Any,
        Y: Any,
        *,
        eval_set: tuple[Any, Any],
        settings: Mapping[str, list[Any]] | None = None,
        start_values: Mapping[str, Any] | None = None,
    ) -> None:
        given = {"regularizer": None, "regularization": 10.0, "keep_probability": 1.0, **(start_values or {})}
        self.controls: dict[str, widgets.ValueWidget] = {
            "regularizer": control(REGULARIZERS, label="regulariser", value=given["regularizer"]),
            "regularization": control((0.1, 1000.0), label="λ, its weight", value=given["regularization"], log=True),
            "keep_probability": control(
                (0.2, 1.0, 0.1), label="ρ, share of the words kept", value=given["keep_probability"]
            ),
        }
        self.controls |= {name: control(values, label=name) for name, values in (settings or {}).items()}
        self.runs: list[GapRun] = []
        self._make_with, self._folder = make, tempfile.TemporaryDirectory(prefix="xmlwb-")
        self._goes_on = False
        super().__init__(self._configured, X, Y, eval_set=eval_set)
        self._go_on_button = widgets.Button(description="Go on", icon="forward", disabled=True)
        self._go_on_button.on_click(lambda _button: None if self.running else self.go_on())
        hear_beside_cells(self._go_on_button)
        buttons = list(self._controls.children)
        self._controls.children = (*buttons[:2], self._go_on_button, *buttons[2:])
        self._bar_of_controls = widgets.Box(
            list(self.controls.values()), layout={"display": "flex", "flex_flow": "row wrap", "grid_gap": "4px 24px"}
        )
        children: tuple[Any, ...] = (self._bar_of_controls, *self.children)
        self.children = children
        self.view.alt = "Precision on training and validation rows by epoch, and the gap of each run"
        for widget in self.controls.values():
            widget.observe(lambda _change: self._show(), names="value")
        self._show()

    def go_on(self, epochs: int | None = None) -> GapFit:
        """Train the present run further: to its planned end, or beyond it once it is there.

        Parameters
        ----------
        epochs : int, optional
            How many more; otherwise what is left, or as many again.

        Raises
        ------
        RuntimeError
            If it is running, or nothing has been trained yet.
        """
        if self.running or not self.events:
            raise RuntimeError("there is no stopped or finished run to go on with; press Start")
        done, planned = self.events[-1].step, self.model.n_epochs
        if epochs is not None:
            self.model.n_epochs = done + epochs
        elif done >= planned:
            self.model.n_epochs = done + self._make_with(**self._values()).n_epochs
        self._goes_on = True
        return self.start()

    @property
    def name(self) -> str:
        """What the controls say, in a few words."""
        return _in_words(self._values(), {name: label for label, name in REGULARIZERS.items()})

    # -- what the thread does --------------------------------------------------------------------------------------

    def _values(self) -> dict[str, Any]:
        return {name: widget.value for name, widget in self.controls.items()}

    def _configured(self) -> Any:
        return self._make_with(**self._values(), checkpoint_dir=self._folder.name)

    def _before_start(self) -> None:
        if self._goes_on:
            self._goes_on = False
            self._last_draw = 0.0
            return
        self._folder.cleanup()
        self._folder = tempfile.TemporaryDirectory(prefix="xmlwb-")
        self._running_name = self.name
        self.runs = [*self.runs, GapRun(self._running_name, [], [], [])]
        super()._before_start()

    def _work(self) -> bool:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)  # small steps: two threads would mostly wait for each other
        try:
            return super()._work()
        finally:
            torch.set_num_threads(before)

    def _draw(self) -> None:
        if not self.events:
            return
        begin = time.perf_counter()
        parts = [[event.figures[f"{part} P@1"] for event in self.events] for part in ("train", "valid")]
        run = GapRun(self._running_name, [event.step for event in self.events], *parts)
        self.runs = [*self.runs[:-1], run]
        self.view.show(gap_figure(self.runs, total=self.events[-1].total))
        self._last_draw = time.perf_counter()
        self._draw_cost = self._last_draw - begin

    # -- what the page shows ---------------------------------------------------------------------------------------

    def _show(self) -> None:
        super()._show()
        if not hasattr(self, "_go_on_button"):
            return
        self._go_on_button.disabled = self.running or not self.events
        self._start_button.description = "Start" if not self.events and not self.running else "Start a new run"
        self._start_button.tooltip = f"Train: {self.name}"
        for widget in self.controls.values():
            widget.disabled = self.running


def _in_words(values: Mapping[str, Any], regularizers: Mapping[str | None, str]) -> str:
    """What a run's settings are, leaving out what has no say."""
    kind = values["regularizer"]
    words = [regularizers[kind] if kind is None else f"{regularizers[kind]}, λ {values['regularization']:.3g}"]
    words += [f"ρ {values['keep_probability']:.1f}"] if values["keep_probability"] < 1 else []
    rest = [name for name in values if name not in ("regularizer", "regularization", "keep_probability")]
    return ", ".join([*words, *(f"{_SHORT.get(name, name)} {values[name]}" for name in rest)])


_SHORT = {"n_components": "d"}
