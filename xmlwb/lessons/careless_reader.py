"""Chapter 09: what many comparisons do to a reader who believes every p-value below 0.05."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from xmlwb.multiplicity import Correction, adjusted_p_values
from xmlwb.plots.false_findings import false_findings_figure
from xmlwb.widgets import SliderFigure, slider_figure

#: Corrections as the figure names them.
READERS: dict[str, Correction] = {
    "no correction": "none", "Benjamini-Hochberg": "benjamini-hochberg", "Holm": "holm",
}  # fmt: skip
LEVEL = 0.05


@dataclass(frozen=True)
class Findings:
    """What one kind of reader believes, over many repetitions of a study.

    Attributes
    ----------
    any_false : float
        Share of studies with at least one false finding.
    found : float
        Share of the real differences that are found; NaN where there are none.
    """

    any_false: float
    found: float


def readers(
    m: int, n_real: int, effect: float, *, repetitions: int = 1_000, random_state: int = 0
) -> dict[str, Findings]:
    """Repeat a study of m settings against one base, and let every reader look at its p-values.

    Parameters
    ----------
    m : int
        Settings that are compared with the base.
    n_real : int
        Of them so many really differ from it.
    effect : float
        By how many standard errors of a difference.
    repetitions : int

    Returns
    -------
    dict of reader to `Findings`

    Notes
    -----
    Estimates err normally, and all differences share the base's error, so they are correlated by one half. A finding of
    the wrong sign counts as not found. O(repetitions m log m).
    """
    rng = np.random.default_rng(random_state)
    base = rng.normal(size=(repetitions, 1))
    real = np.arange(m) < min(n_real, m)
    z = (rng.normal(size=(repetitions, m)) - base) / np.sqrt(2) + effect * real
    p = 2 * norm.sf(np.abs(z))
    out = {}
    for reader, correction in READERS.items():
        believed = np.stack([adjusted_p_values(row, correction) for row in p]) <= LEVEL
        found = float((believed & (z > 0))[:, real].mean()) if real.any() else float("nan")
        out[reader] = Findings(float(believed[:, ~real].any(axis=1).mean()), found)
    return out


def careless_reader() -> SliderFigure:
    """Sliders for the number of settings, how many are really better, and by how much."""

    def shown(settings: int = 20, better: int = 0, effect: float = 3.0) -> go.Figure:
        found = readers(settings, min(better, settings - 1), effect, repetitions=400)
        return false_findings_figure({name: (f.any_false, f.found) for name, f in found.items()}, settings, LEVEL)

    return slider_figure(
        shown,
        settings=(2, 100, 1),
        better=(0, 20, 1),
        effect=(1.0, 6.0, 0.5),
        labels={
            "settings": "settings compared", "better": "really better", "effect": "by so many standard errors",
        },
        alt="How often readers are wrong at least once, and how many real differences they find",
    )  # fmt: skip
