"""Chapter 09: readers of many comparisons, and their figure."""

from __future__ import annotations

import numpy as np
import pytest

from xmlwb.lessons.careless_reader import careless_reader, readers


def test_one_comparison_is_wrong_as_often_as_its_level_for_every_reader() -> None:
    for found in readers(1, 0, 0.0, repetitions=4000).values():
        assert found.any_false == pytest.approx(0.05, abs=0.012)
        assert np.isnan(found.found)


def test_many_comparisons_deceive_who_does_not_correct_and_holm_keeps_his_promise() -> None:
    found = readers(40, 0, 0.0, repetitions=1500)
    assert found["no correction"].any_false > 0.4
    assert found["Holm"].any_false < 0.05 + 0.017


def test_caution_costs_real_findings() -> None:
    found = readers(40, 10, 3.0, repetitions=300)
    kept = [found[name].found for name in ("no correction", "Benjamini-Hochberg", "Holm")]
    assert kept[0] > kept[1] > kept[2] > 0


def test_a_false_finding_is_one_among_settings_that_do_not_differ() -> None:
    found = readers(3, 3, 50.0, repetitions=50)
    assert all(of.any_false == 0 and of.found == 1 for of in found.values())


def test_the_figure_follows_the_sliders() -> None:
    view = careless_reader()
    assert [len(view.figure.data)] == [1]
    view.controls["better"].value = 5
    assert len(view.figure.data) == 2
    assert "20 comparisons" in view.figure.layout.title.text
