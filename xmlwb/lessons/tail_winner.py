"""Exercise 3 of chapter 05: predict which tree wins the tail; the checker knows what the notebook's own run found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xmlwb.lessons.exercises import Case, Exercise, Mistake

#: The models to choose from, as in the notebook's figures.
CONTENDERS = ("FastXML", "PfastreXML", "Parabel", "Bonsai")
#: What is predicted, and who was best at it in a full run of the chapter; the notebook's own run replaces this.
_winners = {"P@1": "Bonsai", "recall of the tail": "PfastreXML"}


def settle(table: Mapping[str, Mapping[str, float]]) -> None:
    """Keep who was best in this run, for the checker of `trees.tail_winner`.

    Parameters
    ----------
    table : mapping of measure to mapping of model to its value
        A DataFrame with a row for each model and a column for each measure will do.
    """
    for measure in _winners:
        values = dict(table[measure])
        _winners[measure] = max(CONTENDERS, key=lambda model: values[model])


def tail_winner(measure: str) -> str:
    """The model of `CONTENDERS` that was best by a measure, in this kernel's run or else in a recorded one."""
    return _winners[measure]


def _wrong(measure: str, model: str) -> Callable[[str], str]:
    """A prediction with one wrong answer; no mistake where it is the right one."""

    def predicted(asked: str) -> str:
        if asked != measure:
            return tail_winner(asked)
        if model == tail_winner(measure):
            raise ValueError(f"{model} is best by {measure}")
        return model

    return predicted


_WHY = {
    "P@1": {
        "FastXML": "FastXML has no classifier of a label's own: its leaves count the labels of a few documents, and "
        "the trees vote. That costs it the first place.",
        "PfastreXML": "PfastreXML moves weight from frequent to rare labels, and P@1 counts each right answer once, "
        "whatever its label.",
        "Parabel": "Parabel came close: it has a classifier for each label, as Bonsai. But halves of equal size push "
        "some labels among strangers, and a deeper tree has more forks that can go wrong.",
        "Bonsai": "Bonsai came close: it has a classifier for each label, as Parabel. Here its larger nodes, with more "
        "documents and more children, did not pay.",
    },
    "recall of the tail": {
        "FastXML": "FastXML's leaves rank labels by how often they occur there: a rare label is outvoted by the "
        "frequent labels of its neighbours.",
        "PfastreXML": "PfastreXML is made for rare labels, and beats FastXML at them. But it lifts labels whose "
        "documents look alike; a classifier for each label found more here.",
        "Parabel": "Parabel learns each rare label in a small group, beside labels that may be strangers to it, and a "
        "wrong turn above cannot be mended. Another model found more.",
        "Bonsai": "Bonsai leaves rare labels in larger groups of their kind, below fewer forks, which does help. Here "
        "another model found even more.",
    },
}

TAIL_WINNER = Exercise(
    name="trees.tail_winner",
    reference=tail_winner,
    cases=tuple(Case((measure,)) for measure in _WHY),
    mistakes=tuple(Mistake(_wrong(measure, model), why) for measure, of in _WHY.items() for model, why in of.items()),
    hints=(
        "Three things help a label to the first places: a classifier of its own, few forks above it, and weight.",
        "Which of the four rank labels in a leaf by how often they occur there? What does that do to a rare label?",
        "The two measures need not have the same winner. Return one of the four names for each: if measure == ...",
    ),
    otherwise="Return one of the names FastXML, PfastreXML, Parabel or Bonsai, as text, for each measure.",
)
