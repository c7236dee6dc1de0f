"""A panel of hyper-parameters made from a model's own signature."""

from __future__ import annotations

import os
from html import escape
from math import ceil, floor, log10
from typing import Any

import ipywidgets as widgets

from xmlwb.widgets.controls import STYLE, control
from xmlwb.widgets.memory import memory_note
from xmlwb.widgets.messages import error_line, plain_line, warning_line
from xmlwb.widgets.signature import Parameter, read_parameters

_LARGEST_SEED = 2**32 - 1


class ParameterPanel(widgets.VBox):
    """Controls for a model's hyper-parameters; see `parameter_panel`.

    Attributes
    ----------
    controls : dict of str to widget
        The control of each parameter that has one; the others stay at their defaults.
    """

    def __init__(self, cls: type, *, data: tuple[Any, Any] | None = None, **given: Any) -> None:
        parameters = {parameter.name: parameter for parameter in read_parameters(cls)}
        for name in given:
            if name not in parameters:
                known = ", ".join(parameters) or "none"
                raise TypeError(f"{cls.__name__} has no parameter {name!r}; it has: {known}")
        self._cls = cls
        self._data = data
        self._fixed: dict[str, Any] = {}
        self.controls: dict[str, widgets.ValueWidget] = {}
        rows = []
        for name, parameter in parameters.items():
            spec = given.get(name, parameter.default)
            built = _build(parameter, spec)
            if built is None:
                self._fixed[name] = spec
                continue
            self.controls[name] = built
            rows += [built, widgets.HTML(_help(parameter.help))]
        for built in self.controls.values():  # sliders and fields begin on one line
            built.style.description_width = f"{max(map(len, self.controls)) * 0.6:.1f}em"
        grid = widgets.GridBox(
            rows, layout={"grid_template_columns": "minmax(260px, 440px) minmax(200px, 1fr)", "grid_gap": "2px 16px"}
        )
        fixed = ", ".join(f"{name} = {value!r}" for name, value in self._fixed.items())
        rest = [widgets.HTML(plain_line(f"Left as they are: {fixed}"))] if fixed else []
        self._memory = widgets.HTML()
        title = widgets.HTML(f"<b>{escape(cls.__name__)}</b>")
        super().__init__([title, grid, *rest, self._memory])
        for built in self.controls.values():
            built.observe(self._say_memory, names="value")
        self._say_memory()

    @property
    def values(self) -> dict[str, Any]:
        """All hyper-parameters as they stand now."""
        return {**self._fixed, **{name: widget.value for name, widget in self.controls.items()}}

    def model(self) -> Any:
        """A new, unfitted model with the hyper-parameters as they stand now."""
        return self._cls(**self.values)

    def _say_memory(self, _change: object = None) -> None:
        if self._data is None:
            return
        try:
            note, fits = memory_note(self.model(), *self._data)
        except Exception as error:  # a value that the model refuses; the reader can turn it back
            self._memory.value = error_line(error)
            return
        self._memory.value = plain_line(note) if fits else warning_line(note)


def parameter_panel(cls: type, /, *, data: tuple[Any, Any] | None = None, **given: Any) -> ParameterPanel:
    """Make a panel of hyper-parameters from a model's constructor and docstring.

    A positive float becomes a slider over decades, a whole number a bounded field, a choice a menu, a bool a check box,
    ``n_jobs`` a menu of this machine's cores. The docstring's text stands beside each. What has no natural control
    (an array, an object) stays at its default and is listed below.

    Parameters
    ----------
    cls : type
        A model's class, such as `xmlwb.models.OneVsAll`; all its arguments have defaults.
    data : (X, Y), optional
        Training data: the panel then says how much memory a fit on it needs.
    **given
        For any parameter: another start value, or what `xmlwb.widgets.controls.control` takes: a range ``(low, high)``
        or ``(low, high, step)``, a list of choices, or a widget.

    Returns
    -------
    ParameterPanel
        Its ``model()`` gives a configured model; ``LiveFit(panel.model, X, Y)`` trains what it says.

    Raises
    ------
    TypeError
        If the class has no such parameter.

    Examples
    --------
    >>> from xmlwb.models import OneVsAll
    >>> panel = parameter_panel(OneVsAll, C=0.5, max_iter=(1, 5000))
    >>> panel.controls["max_iter"].value = 7
    >>> model = panel.model()
    >>> model.C, model.max_iter
    (0.5, 7)
    """
    return ParameterPanel(cls, data=data, **given)


def _build(parameter: Parameter, spec: Any) -> widgets.ValueWidget | None:
    """The control of one parameter, or None where there is none that fits."""
    name, default, tip = parameter.name, parameter.default, parameter.help
    if isinstance(spec, tuple | list | dict | widgets.Widget):
        return control(spec, label=name, value=default, tooltip=tip)
    if name == "n_jobs":
        return control(_cores(spec), label=name, value=spec, tooltip=tip)
    if parameter.choices:
        options = [*parameter.choices, *([None] if parameter.optional and None not in parameter.choices else [])]
        return control(options, label=name, value=spec, tooltip=tip)
    common: dict[str, Any] = {"description": name, "tooltip": tip, "style": STYLE}
    if name == "random_state" and isinstance(spec, int):
        return widgets.BoundedIntText(value=spec, min=0, max=_LARGEST_SEED, **common)
    if isinstance(spec, bool):
        return control(spec, label=name, tooltip=tip)
    if isinstance(spec, str) and parameter.kinds == (str,):
        return widgets.Text(value=spec, continuous_update=False, **common)
    if isinstance(spec, int) and float not in parameter.kinds:
        low, high = parameter.interval or (min(1, spec), max(10 * spec, 100))
        return widgets.BoundedIntText(value=spec, min=int(low), max=int(high), **common)
    if isinstance(spec, int | float):
        return _float(parameter, float(spec), common)
    return None


def _float(parameter: Parameter, value: float, common: dict[str, Any]) -> widgets.ValueWidget:
    if parameter.interval is not None:
        low, high = parameter.interval
        return control((float(low), float(high)), label=parameter.name, value=value, tooltip=parameter.help)
    if value > 0:
        # Three decades to either side, on whole decades: wide enough for C or a tolerance, narrow enough to aim.
        low, high = 10.0 ** (floor(log10(value)) - 3), 10.0 ** (ceil(log10(value)) + 3)
        return control((low, high), label=parameter.name, value=value, log=True, tooltip=parameter.help)
    return widgets.FloatText(value=value, step=0.1, **common)


def _cores(present: int | None) -> dict[str, int | None]:
    count = os.cpu_count() or 1
    menu: dict[str, int | None] = {"1 (default)": None, f"all {count} cores": -1}
    menu |= {str(number): number for number in range(2, count)}
    if present not in menu.values():
        menu[str(present)] = present
    return menu


def _help(text: str) -> str:
    return f'<div style="line-height: 1.4; padding-top: 5px">{escape(text)}</div>'
