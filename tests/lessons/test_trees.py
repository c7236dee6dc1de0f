"""Chapter 05's exercises: right solutions of other make pass, near misses are told what they are."""

from __future__ import annotations

import heapq

import numpy as np
import pandas as pd
import pytest

from xmlwb.lessons import tail_winner as bet
from xmlwb.lessons import tree_exercises
from xmlwb.lessons.exercises import judge
from xmlwb.lessons.questions import MultipleChoice, Numeric
from xmlwb.lessons.tail_winner import CONTENDERS, settle, tail_winner
from xmlwb.lessons.tree_exercises import beam_search, two_means_step
from xmlwb.lessons.trees import EXERCISES, QUESTIONS
from xmlwb.solvers.label_clustering import split_in_halves

TWO_MEANS, BEAM, WINNER = EXERCISES
TREE = [[1, 2], [3, 4], [5, 6], [], [], [], []]


def asks(V, centres):
    return V @ centres[1] - V @ centres[0]


def by_ranks(V, centres):
    place = np.argsort(np.argsort(asks(V, centres), kind="stable"), kind="stable")
    return place >= (len(place) + 1) // 2


def by_distance(V, centres):
    """Squared distances instead of similarities: for vectors of length one the same order."""
    dense = V.toarray()
    gap = ((dense - centres[0]) ** 2).sum(axis=1) - ((dense - centres[1]) ** 2).sum(axis=1)
    side = [0] * len(gap)
    for label in sorted(range(len(gap)), key=lambda i: gap[i].round(9))[(len(gap) + 1) // 2 :]:
        side[label] = 1
    return side


@pytest.mark.parametrize("right", [by_ranks, by_distance])
def test_right_halves_of_other_make_pass(right):
    assert judge(TWO_MEANS, right).passed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda V, c: V @ c[1] > V @ c[0], "7 and 3 labels"),
        (lambda V, c: asks(V, c) >= np.median(asks(V, c)), "exactly on it all went to side 1"),
        (lambda V, c: asks(V, c) > np.median(asks(V, c)), "all went to side 0"),
        (lambda V, c: 1 - np.asarray(by_ranks(V, c)), "changed over"),
        (lambda V, c: (np.argsort(np.argsort(asks(V, c))) >= V.shape[0] // 2).astype(int), "odd number"),
        (lambda V, c: np.argsort(asks(V, c))[V.shape[0] // 2 :], "shape"),
    ],
)
def test_near_misses_of_the_halves_are_told_what_they_are(wrong, told: str):
    verdict = judge(TWO_MEANS, wrong)
    assert verdict.status == "failed"
    assert told in verdict.cause or told in verdict.headline


def test_the_libraries_halves_stay_as_they_are_under_the_step():
    V = tree_exercises._NINE.astype(np.float32)
    halves = split_in_halves(V, np.arange(9), 0)
    centres = np.array([V[half].sum(axis=0) for half in halves])
    side = two_means_step(V, centres / np.linalg.norm(centres, axis=1, keepdims=True))
    assert [set(half.tolist()) for half in halves] == [set(np.flatnonzero(side == s)) for s in (0, 1)]


def with_a_heap(children, p, beam):
    """Beam search with heapq.nlargest, and probabilities whose logarithm is taken at the end."""
    level = [(1.0, 0)]
    while children[level[0][1]]:
        kept = heapq.nlargest(beam, level)
        level = [(score * float(q), c) for score, v in kept for c, q in zip(children[v], p(v), strict=True)]
    return [(v, float(np.log(score))) for score, v in sorted(level, reverse=True)]


def in_arrays(children, p, beam):
    nodes, logp = np.zeros(1, dtype=int), np.zeros(1)
    while len(children[nodes[0]]):
        best = np.argsort(-logp)[:beam]
        logp = np.concatenate([s + np.log(p(v)) for v, s in zip(nodes[best], logp[best], strict=True)])
        nodes = np.concatenate([children[v] for v in nodes[best]])
    order = np.argsort(-logp)
    return np.column_stack([nodes[order], logp[order]])


@pytest.mark.parametrize("right", [with_a_heap, in_arrays])
def test_right_beam_searches_of_other_make_pass(right):
    assert judge(BEAM, right).passed


def search(children, p, beam, *, step=lambda s, q: s + np.log(q), keep=None, last=None):
    level = [(0, 0.0)]
    while children[level[0][0]]:
        level = keep(level) if keep else sorted(level, key=lambda x: -x[1])[:beam]
        level = [(c, step(s, q)) for v, s in level for c, q in zip(children[v], p(v), strict=True)]
    level = sorted(level, key=lambda x: -x[1])
    return level[:last] if last else level


def best_child_of_each(children, p, beam):
    """Opens a node, goes to its best child, for each of the best nodes below the root."""
    first = sorted(zip(children[0], np.log(p(0)), strict=True), key=lambda x: -x[1])[:beam]
    while children[children[first[0][0]][0]]:
        first = [
            max(((c, s + np.log(q)) for c, q in zip(children[v], p(v), strict=True)), key=lambda x: x[1])
            for v, s in first
        ]
    found = [(c, s + np.log(q)) for v, s in first for c, q in zip(children[v], p(v), strict=True)]
    return sorted(found, key=lambda x: -x[1])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (best_child_of_each, "best child of each node"),
        (lambda c, p, b: search(c, p, b, step=lambda s, q: s + q), "added probabilities"),
        (lambda c, p, b: search(c, p, b, step=lambda s, q: np.log(q)), "forgot how likely its parent was"),
        (lambda c, p, b: search(c, p, 1), "one path only"),
        (lambda c, p, b: search(c, p, 10**6), "opened every node"),
        (lambda c, p, b: search(c, p, 10**6, last=b), "cut the list at the end"),
        (lambda c, p, b: search(c, p, b, keep=lambda level: level[:b]), "as they came"),
        (lambda c, p, b: search(c, p, b, last=b), "cut the leaves, too"),
        (lambda c, p, b: [(v, np.exp(s)) for v, s in search(c, p, b)], "Your scores are probabilities"),
        (lambda c, p, b: [v for v, _ in search(c, p, b)], "as a pair"),
    ],
)
def test_near_misses_of_the_beam_are_told_what_they_are(wrong, told: str):
    verdict = judge(BEAM, wrong)
    assert verdict.status == "failed"
    assert told in verdict.cause


def test_a_beam_as_wide_as_the_level_finds_the_best_leaf():
    p = {0: [0.5, 0.6], 1: [0.9, 0.7], 2: [0.3, 0.4]}
    narrow, wide = (beam_search(TREE, lambda v: np.array(p[v]), beam) for beam in (1, 2))
    assert (narrow[0][0], wide[0][0]) == (6, 3)
    assert wide[0][1] == pytest.approx(np.log(0.45))
    assert len(wide) == 4


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bet, "_winners", dict(bet._winners))


def run_of(best: dict[str, str]) -> pd.DataFrame:
    """A table of measures in which these models are best."""
    table = pd.DataFrame(0.5, index=list(CONTENDERS), columns=list(best))
    for measure, model in best.items():
        table.loc[model, measure] = 0.6
    return table


@pytest.mark.parametrize("frequent", CONTENDERS)
@pytest.mark.parametrize("rare", CONTENDERS)
def test_the_winners_are_those_of_the_run_and_every_other_choice_is_explained(recorded, frequent: str, rare: str):
    best = {"head": frequent, "tail": rare}
    settle(run_of(best))
    assert judge(WINNER, best.__getitem__).passed
    for measure in best:
        for model in CONTENDERS:
            verdict = judge(WINNER, {**best, measure: model}.__getitem__)
            assert verdict.passed == (model == best[measure])
            if not verdict.passed:
                assert verdict.cause.startswith(f"{model}")
                assert verdict.wanted == repr(best[measure])


def test_models_that_are_level_both_count_as_best(recorded):
    table = run_of({"head": "Bonsai", "tail": "PfastreXML"})
    table.loc["Parabel", "head"] = 0.598
    settle(table)
    for model, passes in (("Bonsai", True), ("Parabel", True), ("FastXML", False)):
        verdict = judge(WINNER, {"head": model, "tail": "PfastreXML"}.__getitem__)
        assert verdict.passed == passes
    assert verdict.wanted == "'Bonsai or Parabel'"


def test_a_name_that_is_no_contender_is_told_so(recorded):
    verdict = judge(WINNER, lambda part: "parabel")
    assert verdict.status == "failed"
    assert "FastXML, PfastreXML, Parabel or Bonsai" in verdict.cause


def test_without_a_run_the_recorded_winners_count():
    assert judge(WINNER, tail_winner).passed


@pytest.mark.parametrize("question", [q for q in QUESTIONS if isinstance(q, Numeric)], ids=lambda q: q.text[:30])
def test_slips_are_told_apart_from_the_answer(question: Numeric):
    assert question.judge(question.answer()).right
    for slip in question.slips:
        assert question.judge(slip.value()).text == slip.why


def test_a_million_labels_take_fourteen_halvings():
    halvings = next(q for q in QUESTIONS if isinstance(q, Numeric)).answer()
    assert 1e6 / 2**halvings <= 100 < 1e6 / 2 ** (halvings - 1)


def test_right_choices_are_not_all_in_the_same_place():
    places = [[c.right for c in q.choices].index(True) for q in QUESTIONS if isinstance(q, MultipleChoice)]
    assert len(set(places)) >= 3 or len(places) < 3
    assert max(places.count(place) for place in set(places)) <= len(places) / 2
