"""Exercise 3 of chapter 05: predict which tree wins the tail; the checker knows what the notebook's own run found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xmlwb.lessons.exercises import Case, Exercise, Mistake

#: The models to choose from, as in the notebook's figures.
CONTENDERS = ("FastXML", "PfastreXML", "Parabel", "Bonsai")
#: A model this close to the best counts as best, too: half a point is within what another seed changes.
CLOSE = 0.005
#: Who found most of each part of the labels in a full run of the chapter; the notebook's own run replaces this.
_winners: dict[str, tuple[str, ...]] = {"head": ("FastXML",), "tail": ("PfastreXML",)}


class _OneOf(str):
    """The name of a model that equals the names of all that came as close."""

    names: tuple[str, ...]

    def __new__(cls, *names: str) -> _OneOf:
        """The text is all of the names; equal is each."""
        shown = super().__new__(cls, " or ".join(names))
        shown.names = names
        return shown

    def __eq__(self, other: object) -> bool:
        return other in self.names or str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)


def settle(table: Mapping[str, Mapping[str, float]]) -> None:
    """Keep who was best in this run, for the checker of `trees.tail_winner`.

    Parameters
    ----------
    table : mapping of "head" and "tail" to mapping of model to recall
        The table of `xmlwb.lessons.tree_comparison.fit_and_measure` will do. Models within `CLOSE` of the best count as
        best.
    """
    for part in _winners:
        values = {model: float(table[part][model]) for model in CONTENDERS}
        best = max(values.values())
        order = sorted(CONTENDERS, key=lambda model: -values[model])
        _winners[part] = tuple(model for model in order if values[model] >= best - CLOSE)


def tail_winner(part: str) -> str:
    """The model of `CONTENDERS` that found most of "head" or "tail", in this kernel's run or else in a recorded one."""
    return _OneOf(*_winners[part])


def _wrong(part: str, model: str) -> Callable[[str], str]:
    """A prediction with one wrong answer; no mistake where it is the right one."""

    def predicted(asked: str) -> str:
        if asked != part:
            return _winners[asked][0]
        if model in _winners[part]:
            raise ValueError(f"{model} finds most of the {part}")
        return model

    return predicted


_A_CLASSIFIER_EACH = (
    "has a classifier for each label, so rare labels get a say, too, and take some of the five places from frequent "
    "ones. Where leaves only count, a frequent label leads nearly every count."
)
_FEW_DOCUMENTS = (
    "has a classifier for each label, but a rare one's is learned from a handful of documents, below forks that hardly "
    "know them. Here counts that are weighted by 1 / propensity, and means of documents, found more."
)
_WHY = {
    "head": {
        "FastXML": "FastXML's leaves favour frequent labels, since they only count. Here another model found more all "
        "the same.",
        "PfastreXML": "PfastreXML takes weight from frequent labels and gives it to rare ones: with five places to "
        "give away, what the tail gains the head loses.",
        "Parabel": f"Parabel {_A_CLASSIFIER_EACH}",
        "Bonsai": f"Bonsai {_A_CLASSIFIER_EACH}",
    },
    "tail": {
        "FastXML": "FastXML's leaves rank labels by how often they occur there: a rare label is outvoted by the "
        "frequent labels of its neighbours.",
        "PfastreXML": "PfastreXML is made for rare labels, and beats FastXML at them. But here a classifier for each "
        "label found more.",
        "Parabel": f"Parabel {_FEW_DOCUMENTS}",
        "Bonsai": f"Bonsai {_FEW_DOCUMENTS}",
    },
}

TAIL_WINNER = Exercise(
    name="trees.tail_winner",
    reference=tail_winner,
    cases=tuple(Case((part,)) for part in _WHY),
    mistakes=tuple(Mistake(_wrong(part, model), why) for part, of in _WHY.items() for model, why in of.items()),
    hints=(
        "Three things help a label to the first places: a classifier of its own, few forks above it, and weight.",
        "Two of the four rank labels in a leaf by how often they occur there. Which labels does plain counting favour, "
        "and which does counting with 1 / propensity?",
        "Head and tail need not have the same winner. Return one of the four names for each: if part == ...",
    ),
    otherwise="Return one of the names FastXML, PfastreXML, Parabel or Bonsai, as text, for head and for tail.",
)
