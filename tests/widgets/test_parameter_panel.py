from __future__ import annotations

from typing import Literal

import ipywidgets
import numpy as np
import pytest
from scipy import sparse

from xmlwb.models import METHODS, OneVsAll
from xmlwb.widgets import parameter_panel
from xmlwb.widgets.controls import _Menu
from xmlwb.widgets.signature import read_parameters


class Model:
    """A model.

    Parameters
    ----------
    C : float, default 1.0
        Weight of the ``loss``;
        larger means closer.
    n_trees, beam : int, default 3
        Whole numbers.
    search : {"exact", "hnsw"}, default "exact"
        How.
    drop : float in [0, 1], default 0.5
        A share.
    metric : {cosine or so}
        Prose in braces.

    Notes
    -----
    not : a parameter
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        n_trees: int = 3,
        beam: int = 3,
        search: str = "exact",
        loss: Literal["hinge", "log"] | None = "hinge",
        drop: float = 0.5,
        shift: float = 0.0,
        metric: str = "cosine",
        balance: bool = True,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        weights: np.ndarray | None = None,
    ) -> None:
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        if self.n_trees == 13:
            raise ValueError("n_trees is 13; wanted luck")
        return self.n_trees * 1_000_000


def test_each_kind_gets_its_control() -> None:
    controls = parameter_panel(Model).controls
    kinds = {name: type(widget) for name, widget in controls.items()}
    assert kinds == {
        "C": ipywidgets.FloatLogSlider,
        "n_trees": ipywidgets.BoundedIntText,
        "beam": ipywidgets.BoundedIntText,
        "search": _Menu,
        "loss": _Menu,
        "drop": ipywidgets.FloatSlider,
        "shift": ipywidgets.FloatText,
        "metric": ipywidgets.Text,
        "balance": ipywidgets.Checkbox,
        "n_jobs": _Menu,
        "random_state": ipywidgets.BoundedIntText,
    }
    assert (10.0 ** controls["C"].min, 10.0 ** controls["C"].max) == pytest.approx((1e-3, 1e3))
    assert (controls["drop"].min, controls["drop"].max) == (0, 1)
    assert [value for _, value in controls["loss"].options] == ["hinge", "log", None]
    assert [value for _, value in controls["search"].options] == ["exact", "hnsw"]


def test_untouched_panel_gives_the_defaults() -> None:
    assert vars(parameter_panel(Model).model()) == vars(Model())


def test_controls_reach_the_model() -> None:
    panel = parameter_panel(Model, n_trees=(1, 9), beam=7)
    panel.controls["n_trees"].value = 5
    panel.controls["search"].value = "hnsw"
    panel.controls["n_jobs"].value = -1
    model = panel.model()
    assert (model.n_trees, model.beam, model.search, model.n_jobs) == (5, 7, "hnsw", -1)
    assert panel.model() is not model


def test_none_is_a_choice_like_any_other() -> None:
    menu = parameter_panel(Model).controls["n_jobs"]
    assert (menu.value, menu.label) == (None, "1 (default)")
    menu.value = -1
    menu.label = "1 (default)"
    assert (menu.value, menu.label) == (None, "1 (default)")


def test_help_is_read_from_the_docstring() -> None:
    parameters = {parameter.name: parameter for parameter in read_parameters(Model)}
    assert parameters["C"].help == "Weight of the loss; larger means closer."
    assert parameters["n_trees"].help == parameters["beam"].help == "Whole numbers."
    assert parameters["metric"].choices == ()
    assert parameters["shift"].help == ""
    assert parameter_panel(Model).controls["C"].tooltip == parameters["C"].help


def test_memory_is_shown_and_follows_the_controls() -> None:
    X = sparse.eye_array(4, format="csr", dtype=np.float32)
    panel = parameter_panel(Model, data=(X, X))
    assert "about 3 MB" in panel._memory.value
    panel.controls["n_trees"].value = 20
    assert "about 20 MB" in panel._memory.value
    panel.controls["n_trees"].value = 13
    assert "n_trees is 13; wanted luck" in panel._memory.value


def test_unknown_parameter_is_named() -> None:
    with pytest.raises(TypeError, match="OneVsAll has no parameter 'c'; it has: C"):
        parameter_panel(OneVsAll, c=1.0)


def test_argument_without_default_is_refused() -> None:
    class Bare:
        def __init__(self, depth: int) -> None: ...

    with pytest.raises(TypeError, match="'depth' has no default"):
        parameter_panel(Bare)


@pytest.mark.parametrize("key", METHODS)
def test_every_method_has_a_panel_that_gives_its_defaults(key: str) -> None:
    cls = METHODS[key].cls
    panel = parameter_panel(cls)
    assert panel.model().get_params() == cls().get_params()
    for parameter in read_parameters(cls):
        assert parameter.help, f"{cls.__name__}.{parameter.name} is not documented"
