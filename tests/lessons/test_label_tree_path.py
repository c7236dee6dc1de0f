from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from planted_label_tree import N_FEATURES, PlantedModel, documents
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_path import Case, PathBrowser, path_steps
from xmlwb.plots.label_path import path_figure
from xmlwb.plots.theme import BLUE

WORDS = ["alpha", "beta", "gamma", "delta", "<eta>", "theta"]


@pytest.fixture(scope="module")
def model() -> PlantedModel:
    return PlantedModel()


@pytest.fixture
def ds(small_dataset: Dataset) -> Dataset:
    X, Y = documents(60)
    return dataclasses.replace(
        small_dataset, X_train=X, Y_train=Y, X_test=X, Y_test=Y, feature_names=WORDS,
        label_names=[f"label {i}" for i in range(9)], ids_test=[f"d{i}" for i in range(60)],
        texts_test=[f'Text "{i}"\nand more' for i in range(60)],
    )  # fmt: skip


@pytest.fixture
def browser(model: PlantedModel, ds: Dataset) -> PathBrowser:
    nodes = pd.DataFrame({"name": [f"node {v}" for v in range(model.tree.n_nodes)]})
    return PathBrowser(model, ds, nodes, beam=1, k=2)


def test_steps_are_those_of_the_definition_and_their_words_sum_to_the_lead(model: PlantedModel) -> None:
    X, _ = documents()
    for x in (csr_array(X[[i]]) for i in range(8)):
        dense = x.toarray()[0]
        for label in (0, 3, 8):
            path = model.tree.path(label)
            steps = path_steps(model, x, label, [f"n{v}" for v in range(model.tree.n_nodes)], WORDS, n_words=1)
            assert [step.node for step in steps] == path[1:]
            for parent, child, step in zip(path[:-1], path[1:], steps, strict=True):
                assert step.probability == pytest.approx(math.exp(model.step(dense, child)), abs=1e-5)
                siblings = {v: model.step(dense, v) for v in model.tree.children(parent) if v != child}
                assert step.n_siblings == len(siblings)
                if siblings:
                    assert step.sibling_probability == pytest.approx(math.exp(max(siblings.values())), abs=1e-5)
                    named = model.step(dense, int(step.sibling[1:]))
                    assert named == pytest.approx(max(siblings.values()), abs=1e-5)
                else:
                    assert step.sibling == ""
                W, bias = model.weights[parent]
                w = W[:, child - model.tree.children(parent).start]
                constant = bias[child - model.tree.children(parent).start]
                if siblings:
                    best = int(step.sibling[1:]) - model.tree.children(parent).start
                    w, constant = w - W[:, best], constant - bias[best]
                assert step.lead == pytest.approx(dense @ w + constant, abs=1e-5)
                parts = {WORDS[j]: dense[j] * w[j] for j in range(N_FEATURES)}
                for word, value in step.words:
                    assert value == pytest.approx(parts[word], abs=1e-5)
                told = dict(step.words)
                if max(parts.values()) > 0:
                    assert max(parts, key=parts.__getitem__) in told
                if min(parts.values()) < 0:
                    assert min(parts, key=parts.__getitem__) in told
                assert step.bias + sum(told.values()) + step.other_words == pytest.approx(step.lead, abs=1e-5)
                assert step.bias == pytest.approx(constant)


def test_a_label_outside_of_the_tree_has_no_path(model: PlantedModel) -> None:
    with pytest.raises(ValueError, match="label is 4"):
        path_steps(model, csr_array(documents()[0][[0]]), 4, [""] * 14, WORDS)


def test_cases_are_what_the_search_with_loops_says(browser: PathBrowser, model: PlantedModel, ds: Dataset) -> None:
    lost_ones = 0
    for row in range(60):
        kept, reached = model.walk(ds.X_test[[row]].toarray()[0], 1)
        first = sorted(reached, key=lambda label: (-reached[label], label))[:2]
        true = set(ds.Y_test[[row]].indices.tolist())
        wanted = {(label, "right" if label in true else "wrong") for label in first}
        wanted |= {(label, "missed") for label in true - set(first) - {4}}
        cases = browser.cases(row)
        assert {(case.label, case.kind) for case in cases.values()} == wanted
        for case in cases.values():
            gone = [v for v in model.tree.path(case.label) if v not in kept]
            assert browser.lost_depth(case) == (int(model.tree.depth[gone[0]]) if gone else -1)
            assert (case in browser.find("missed", lost=True)) == bool(gone and case.kind == "missed")
            lost_ones += bool(gone)
    assert lost_ones > 5


def test_the_menu_holds_some_of_each_sort_each_of_another_document(browser: PathBrowser) -> None:
    menu = browser.menu(most=8)
    assert {name.partition(":")[0] for name in menu} == {"right", "wrong", "lost by the beam", "ranked too low"}
    for sort in ("right", "wrong", "lost by the beam", "ranked too low"):
        cases = [case for name, case in menu.items() if name.startswith(sort)]
        assert len(cases) <= 2
        assert len({case.row for case in cases}) == len({case.label for case in cases}) == len(cases)
    surest = next(case for name, case in menu.items() if name.startswith("wrong"))
    assert browser._log_probability(surest) == max(browser._log_probability(c) for c in browser.find("wrong"))


def test_the_figure_tells_where_a_label_was_lost(browser: PathBrowser, model: PlantedModel) -> None:
    case = next(case for case in browser.find("missed", lost=True) if len(model.tree.path(case.label)) == 4)
    figure = browser(case)
    depth = browser.lost_depth(case)
    title = figure.layout.title.text
    assert f"at depth {depth} it was not among the 1 best nodes" in title
    assert f'Text "{case.row}" and more' in title  # plotly would show &quot; as it stands
    probabilities, words = figure.data
    steps = path_steps(model, csr_array(browser.ds.X_test[[case.row]]), case.label, browser._names, WORDS)
    own = [step.probability for step in steps]
    drawn = [x for x, colour in zip(probabilities.x, probabilities.marker.color, strict=True) if colour != "#7F7F7F"]
    assert drawn == pytest.approx(own)
    told = {(round(value, 5)) for step in steps for value in (*(v for _, v in step.words), step.bias, step.other_words)}
    assert {round(float(x), 5) for x in words.x} == told
    for x, colour in zip(words.x, words.marker.color, strict=True):
        assert colour == "#7F7F7F" or (x > 0) == (colour == BLUE)
    assert len({(y, x > 0) for x, y in zip(words.x, words.y, strict=True)}) == len(words.x)  # none covers another
    (mark,) = [note for note in figure.layout.annotations if "lost here" in note.text]
    assert mark.y == probabilities.y[list(probabilities.x).index(own[depth - 1])]


def test_the_place_of_a_missed_label_is_its_rank_among_the_reached(
    browser: PathBrowser, model: PlantedModel, ds: Dataset
) -> None:
    for case in browser.find("missed", lost=False)[:5]:
        _, reached = model.walk(ds.X_test[[case.row]].toarray()[0], 1)
        rank = sorted(reached, key=lambda label: (-reached[label], label)).index(case.label) + 1
        assert f"only in place {rank}." in browser(case).layout.title.text


def test_documents_are_spread_over_the_test_set(browser: PathBrowser) -> None:
    assert list(browser.documents.values()) == list(range(60))
    assert "d7: Text" in list(browser.documents)[7]


def test_a_path_that_was_not_lost_is_not_marked(browser: PathBrowser) -> None:
    case = browser.find("right")[0]
    figure = browser(case)
    assert not any("lost" in note.text for note in figure.layout.annotations)
    assert isinstance(case, Case)
    assert np.isfinite(figure.layout.height)
    steps = path_steps(browser.model, csr_array(browser.ds.X_test[[case.row]]), case.label, browser._names, WORDS)
    assert any("&lt;eta&gt;" in (note.text or "") for note in path_figure(steps).layout.annotations) == any(
        "<eta>" in dict(step.words) for step in steps
    )
