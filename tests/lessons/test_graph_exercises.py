"""Chapter 06's exercises: right solutions of other make pass, near misses are told what they are."""

from __future__ import annotations

import bisect

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array

from xmlwb.lessons.dxml import EXERCISES, QUESTIONS
from xmlwb.lessons.exercises import judge
from xmlwb.lessons.graph_exercises import label_targets, one_walk
from xmlwb.lessons.questions import MultipleChoice, Numeric
from xmlwb.lessons.vote_exercise import knn_vote
from xmlwb.solvers.neighbour_vote import nearest, vote

ONE_WALK, LABEL_TARGETS, KNN_VOTE = EXERCISES


def told_about(exercise, wrong) -> str:
    verdict = judge(exercise, wrong)
    assert verdict.status == "failed"
    return f"{verdict.headline} {verdict.cause}"


# ------------------------------------------------------------------------------------------------- one random walk


def row(A, v):
    edges = slice(A.indptr[v], A.indptr[v + 1])
    return A.indices[edges], A.data[edges]


def walk_with(step, *, first=True, leave=-1):
    """A student's walk whose step is wrong in one place."""

    def walk(A, start, coins):
        nodes = [start]
        for coin in coins:
            neighbours, weights = row(A, nodes[leave])
            if len(neighbours) == 0:
                break
            nodes.append(step(neighbours, weights, coin))
        return nodes if first else nodes[1:]

    return walk


def by_weight(nodes, weights, coin):
    return nodes[np.argmax(np.cumsum(weights) / weights.sum() > coin)]


def dense_walk(A, start, coins):
    """By a dense row and bisection, ends included."""
    A, walk = A.toarray(), [start]
    for coin in coins:
        ends = A[walk[-1]].cumsum()
        if ends[-1] == 0:
            return np.array(walk)
        walk.append(bisect.bisect_left(ends.tolist(), coin * ends[-1]))
    return np.array(walk)


def transition_walk(A, start, coins):
    """By the matrix of transition probabilities."""
    degree = A.sum(axis=1)
    P = csr_array(diags_array(1 / np.maximum(degree, 1)) @ A)
    P.sort_indices()
    walk = (start,)
    for coin in coins:
        nodes, p = row(P, walk[-1])
        if not len(nodes):
            break
        walk += (int(nodes[np.searchsorted(np.cumsum(p), coin)]),)
    return walk


@pytest.mark.parametrize("right", [dense_walk, transition_walk, walk_with(by_weight)])
def test_right_walks_of_other_make_pass(right):
    assert judge(ONE_WALK, right).passed


def dead_end_is_an_error(A, start, coins):
    walk = [start]
    for coin in coins:
        nodes, weights = row(A, walk[-1])
        walk.append(by_weight(nodes, weights, coin))
    return walk


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (walk_with(lambda nodes, w, coin: nodes[int(coin * len(nodes))]), "the same chance"),
        (walk_with(by_weight, first=False), "begins with `start`"),
        (lambda A, start, coins: walk_with(by_weight)(A, start, coins[1:]), "shape"),
        (lambda A, start, coins: walk_with(by_weight)(A, start, coins[:-1]), "One step is missing"),
        (walk_with(lambda nodes, w, coin: nodes[np.argmax(np.cumsum(w) > coin)]), "as they are"),
        (walk_with(lambda nodes, w, coin: int(np.argmax(np.cumsum(w) / w.sum() > coin))), "place in the row"),
        (walk_with(lambda nodes, w, coin: nodes[w.argmax()]), "heaviest edge"),
        (walk_with(by_weight, leave=0), "left from `start`"),
        (lambda A, start, coins: [start] + [int(c * A.shape[0]) for c in coins], "any label"),
        (dead_end_is_an_error, "ValueError"),
        (lambda A, start, coins: np.random.default_rng(0).integers(4, size=len(coins) + 1), "no random numbers"),
    ],
)
def test_near_misses_of_the_walk_are_told_what_they_are(wrong, told: str):
    assert told in told_about(ONE_WALK, wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda walk, n: walk + [walk[-1]] * (n - len(walk)), "Yours stays"),
        (lambda walk, n: walk + [-1] * (n - len(walk)), "leave the filling out"),
        (lambda walk, n: walk if len(walk) == n else [], "of one node"),
    ],
)
def test_a_label_that_occurs_alone_has_its_own_mistakes(wrong, told: str):
    def walk(A, start, coins):
        return wrong(one_walk(A, start, coins), len(coins) + 1)

    verdict = judge(ONE_WALK, walk)
    assert "alone" in verdict.on
    assert told in verdict.cause


def test_a_walk_goes_along_edges_in_proportion_to_their_weights():
    A = csr_array(np.array([[0, 1, 3.0], [1, 0, 0], [3, 0, 0]]))
    rng = np.random.default_rng(0)
    walk = np.array(one_walk(A, 0, rng.random(4000)))
    assert (A.toarray()[walk[:-1], walk[1:]] > 0).all()
    assert np.mean(walk[1::2] == 2) == pytest.approx(0.75, abs=0.04)


def test_no_coin_falls_on_the_edge_of_a_piece():
    for case in ONE_WALK.cases:
        for shift in (-1e-3, 1e-3):
            A, start, coins = case.args
            assert one_walk(A, start, coins + shift) == one_walk(A, start, coins)


# ------------------------------------------------------------------------------------- the place of a set of labels


def by_loop(Y, V):
    F = np.zeros((Y.shape[0], V.shape[1]))
    for i in range(Y.shape[0]):
        labels = Y.indices[Y.indptr[i] : Y.indptr[i + 1]]
        if len(labels):
            F[i] = V[labels].mean(axis=0)
    return F


def by_scaled_rows(Y, V):
    number = Y.sum(axis=1)
    scale = np.divide(1, number, out=np.zeros_like(number), where=number > 0)
    return diags_array(scale) @ Y @ V


@pytest.mark.parametrize("right", [by_loop, by_scaled_rows, lambda Y, V: np.nan_to_num(Y @ V / Y.sum(axis=1)[:, None])])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_right_targets_of_other_make_pass(right):
    assert judge(LABEL_TARGETS, right).passed


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda Y, V: Y @ V, "sum of the embeddings"),
        (lambda Y, V: Y @ V / Y.sum(axis=1)[:, None], "NaN"),
        (lambda Y, V: Y @ V / Y.sum(axis=1), "as a column"),
        (lambda Y, V: Y @ V / (1 + Y.sum(axis=1)[:, None]), "added 1"),
        (lambda Y, V: Y @ V / V.shape[0], "divided by L"),
        (lambda Y, V: Y @ V / Y.sum(), "whole matrix"),
        (lambda Y, V: Y @ V / Y.sum(axis=1).mean(), "mean number of labels"),
        (lambda Y, V: Y @ (V / Y.sum(axis=0)[:, None]), "a column of Y"),
        (lambda Y, V: Y @ V / np.linalg.norm(Y @ V, axis=1, keepdims=True), "one long"),
        (lambda Y, V: (Y @ V / np.maximum(Y.sum(axis=1), 1)[:, None])[Y.sum(axis=1) > 0], "left the document"),
        (lambda Y, V: (Y @ V / np.maximum(Y.sum(axis=1), 1)[:, None]).T, "lies on its side"),
        (lambda Y, V: V @ Y, "the shape is (4, 4)"),
    ],
)
def test_near_misses_of_the_targets_are_told_what_they_are(wrong, told: str):
    assert told in told_about(LABEL_TARGETS, wrong)


# ---------------------------------------------------------------------------------------------- the neighbours' vote


def by_inner_product(f, F, Y, k):
    return Y[np.argpartition(-(F @ f), k - 1)[:k]].mean(axis=0)


def by_ballots(f, F, Y, k):
    distance = ((F - f) ** 2).sum(axis=1)
    ballot = (distance <= np.sort(distance)[k - 1]) / k
    return ballot @ Y


def by_the_library(f, F, Y, k):
    """With what KNN and DXML use, all votes of the same weight."""
    F, f = F.astype(np.float32), f.astype(np.float32)
    rows, _ = nearest(f[None], F, k)
    labels, share = vote(rows, np.ones(rows.shape, dtype=np.float32), Y.astype(np.float32), Y.shape[1])
    scores = np.zeros(Y.shape[1])
    scores[labels[labels >= 0]] = share[labels >= 0]
    return scores


@pytest.mark.parametrize("right", [by_inner_product, by_ballots, by_the_library])
def test_right_votes_of_other_make_pass(right):
    assert judge(KNN_VOTE, right).passed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda f, F, Y, k: Y[np.argsort(F @ f)[:k]].mean(axis=0), "farthest"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[:k]].sum(axis=0), "These are votes"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[:k]].sum(axis=0) / len(F), "all training documents"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[1 : k + 1]].mean(axis=0), "left the nearest document out"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[: k + 1]].mean(axis=0), "k + 1"),
        (lambda f, F, Y, k: np.average(Y.toarray(), axis=0, weights=(F @ f) * in_first(f, F, k)), "by similarity"),
        (lambda f, F, Y, k: Y[:k].mean(axis=0), "first k rows"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[:k]].mean(axis=0) > 0.5, "rounded"),
        (lambda f, F, Y, k: Y[np.argsort(-(F @ f))[:k]].mean(axis=1), "shape"),
        (lambda f, F, Y, k: np.argsort(-(F @ f))[:k], "These are the neighbours"),
    ],
)
def test_near_misses_of_the_vote_are_told_what_they_are(wrong, told: str):
    assert told in told_about(KNN_VOTE, wrong)


def in_first(f, F, k):
    return np.argsort(np.argsort(-(F @ f))) < k


def test_every_row_of_the_vote_is_one_long_and_none_ties():
    for case in KNN_VOTE.cases:
        f, F, _, _ = case.args
        np.testing.assert_allclose(np.linalg.norm(F, axis=1), 1, atol=1e-4)
        assert np.diff(np.sort(F @ f)).min() > 1e-3


# ---------------------------------------------------------------------------------------------------- every mistake


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_every_mistake_fails_and_is_told_apart(exercise):
    for mistake in exercise.mistakes:
        verdict = judge(exercise, mistake.function)
        assert verdict.status == "failed", mistake.why
        assert verdict.cause == mistake.why


def test_references_on_empty_rows():
    assert one_walk(csr_array((2, 2)), 1, np.array([0.5])) == [1]
    assert (label_targets(csr_array((2, 3)), np.ones((3, 2))) == 0).all()
    assert (knn_vote(np.array([1.0, 0]), np.eye(2), csr_array((2, 3)), 2) == 0).all()


@pytest.mark.parametrize("question", [q for q in QUESTIONS if isinstance(q, Numeric)], ids=lambda q: q.text[:30])
def test_slips_are_told_apart_from_the_answer(question: Numeric):
    assert question.judge(question.answer()).right
    for slip in question.slips:
        assert question.judge(slip.value()).text == slip.why


def test_right_choices_are_not_all_in_the_same_place():
    places = [[c.right for c in q.choices].index(True) for q in QUESTIONS if isinstance(q, MultipleChoice)]
    assert len(set(places)) >= 3
    assert max(places.count(place) for place in set(places)) <= len(places) / 2
