"""Labelled controls from plain Python values: a range becomes a slider, a choice a menu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import traitlets

#: Labels as wide as their text.
STYLE = {"description_width": "initial"}


def control(
    spec: Any, *, label: str, value: Any = None, unit: str = "", log: bool = False, tooltip: str = ""
) -> widgets.ValueWidget:
    """Turn a range, a choice or a yes/no into a labelled control.

    Parameters
    ----------
    spec : tuple of 2 or 3 numbers, list, dict, bool, or ipywidgets widget
        ``(low, high)`` or ``(low, high, step)`` makes a slider (of whole numbers if all of them are), a list or a dict
        of label -> value a menu, a bool a check box; a widget is taken as it is.
    label : str
        What stands beside the control.
    value : optional
        Where it starts; otherwise the middle of the range, the first of a choice.
    unit : str
        Stands in brackets after the label.
    log : bool
        For a range of positive numbers: a slider that moves through decades.
    tooltip : str
        Longer help, shown while the pointer rests on the control.

    Raises
    ------
    TypeError, ValueError
        If the specification is none of these, or the value lies outside it.

    Examples
    --------
    >>> control((0.0, 2.0, 0.05), label="A", value=0.55).value
    0.55
    >>> control(["mass", "decile"], label="bins").value
    'mass'
    """
    if isinstance(spec, widgets.Widget):
        return spec
    text = f"{label} ({unit})" if unit else label
    common: dict[str, Any] = {"description": text, "tooltip": tooltip or text, "style": STYLE}
    if isinstance(spec, bool):
        return widgets.Checkbox(value=spec if value is None else bool(value), indent=False, **common)
    if isinstance(spec, Mapping | list):
        options = list(spec.items()) if isinstance(spec, Mapping) else list(spec)
        return _menu(options, value, label, common)
    if isinstance(spec, tuple) and len(spec) in (2, 3) and all(_is_number(bound) for bound in spec):
        return _slider(spec, value, label, log, common)
    raise TypeError(
        f"control {label!r} is {spec!r}; wanted (low, high), (low, high, step), a list or dict of choices, a bool, "
        "or a widget"
    )


class _Menu(widgets.Dropdown):
    """A menu in which None is a choice like any other; ipywidgets takes it for "nothing is chosen"."""

    @traitlets.observe("value")
    def _propagate_value(self, change: Any) -> None:
        values = [value for _, value in self.options]
        self.index = values.index(change.new) if change.new in values else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _menu(options: list[Any], value: Any, label: str, common: dict[str, Any]) -> widgets.ValueWidget:
    if not options:
        raise ValueError(f"control {label!r} has no choices; wanted at least one")
    labelled = [option if isinstance(option, tuple) else (str(option), option) for option in options]
    values = [option for _, option in labelled]
    if value is None and None not in values:
        value = values[0]
    if value not in values:
        raise ValueError(f"control {label!r} starts at {value!r}; wanted one of {values}")
    return _Menu(options=labelled, index=values.index(value), layout={"width": "auto"}, **common)


def _slider(spec: tuple[float, ...], value: Any, label: str, log: bool, common: dict[str, Any]) -> widgets.ValueWidget:
    low, high = spec[0], spec[1]
    if not low < high:
        raise ValueError(f"control {label!r} runs from {low} to {high}; wanted low < high")
    if value is not None and not low <= value <= high:
        raise ValueError(f"control {label!r} starts at {value}; wanted a value from {low} to {high}")
    common = {**common, "layout": {"width": "min(420px, 95%)"}}
    if log:
        if low <= 0:
            raise ValueError(f"control {label!r} starts its decades at {low}; wanted a positive number")
        from math import log10

        start = (low * high) ** 0.5 if value is None else value
        return widgets.FloatLogSlider(
            value=start, min=log10(low), max=log10(high), step=0.05, readout_format=".3g", **common
        )
    step = spec[2] if len(spec) == 3 else None
    start = (low + high) / 2 if value is None else value
    if all(isinstance(number, int) for number in (*spec, 0 if value is None else value)):
        return widgets.IntSlider(value=int(start), min=low, max=high, step=step or 1, **common)
    step = step or (high - low) / 100
    decimals = max(0, min(6, -_exponent(step)))
    return widgets.FloatSlider(value=start, min=low, max=high, step=step, readout_format=f".{decimals}f", **common)


def _exponent(step: float) -> int:
    """The decimal place of a step's last digit that matters: 0.05 -> -2, 2.5 -> -1, 10 -> 0."""
    text = f"{step:.6f}".rstrip("0")
    return -len(text.partition(".")[2])
