"""Quick checks and exercises of chapter 05, trees."""

from __future__ import annotations

import math

from xmlwb.lessons.exercises import Exercise
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip
from xmlwb.lessons.tail_winner import TAIL_WINNER
from xmlwb.lessons.tree_exercises import BEAM, TWO_MEANS

EXERCISES: list[Exercise] = [TWO_MEANS, BEAM, TAIL_WINNER]


def _halvings(L: int = 1_000_000, max_leaf: int = 100) -> float:
    return float(math.ceil(math.log2(L / max_leaf)))


def _found_by_one_path(right: float = 0.95, levels: int = 6) -> float:
    return 100 * right**levels


QUESTIONS: list[Question] = [
    MultipleChoice(
        "A new document walks down one tree of <b>FastXML</b> (which splits instances) and ends in a leaf that holds "
        "eight training documents. Which labels can this tree give it?",
        (
            Choice(
                "All L of them: a leaf holds a classifier for every label.",
                "A leaf holds no classifiers, only how often each label occurs among its documents.",
            ),
            Choice(
                "Only labels of those eight documents.",
                "A tree over <i>instances</i> ends in a small crowd of similar documents, and passes on what labels "
                "they have. A tree over <i>labels</i> (Parabel, Bonsai) ends in a group of labels, and has a "
                "classifier for each.",
                right=True,
            ),
            Choice(
                "Only the labels that clustering has put into this leaf.",
                "That is how Parabel and Bonsai work: they split labels. FastXML's leaves hold documents, and one "
                "label can occur in many leaves.",
            ),
        ),
    ),
    Numeric(
        "A balanced tree halves 1,000,000 labels until no group has more than 100. How many forks does a search pass "
        "between the root and such a group?",
        _halvings,
        "{answer}: thirteen halvings leave 122 or 123 labels a group, so it takes one more. With two classifiers a "
        "fork and about 61 labels in the group that is some 90 classifiers for one path, not a million. Ten paths at "
        "once cost about ten times that.",
        slips=(
            Slip(lambda: math.ceil(math.log2(1e6)), "That is down to single labels; stop at groups of 100."),
            Slip(lambda: 13.0, "13 halvings leave 1,000,000 / 8,192 = 122 labels a group, still more than 100."),
            Slip(lambda: 10_000.0, "That is the number of groups. One path visits one of them."),
            Slip(lambda: 2**14, "That is the number of groups at the bottom. How many forks lie above one of them?"),
        ),
    ),
    MultipleChoice(
        "At the root, the left child gets probability 0.9 and the right child 0.7. They add up to 1.6. What is wrong?",
        (
            Choice(
                "Nothing. A document may have labels on both sides: these are two questions, not one.",
                "Each child asks: <i>is there any label of this document below me?</i> Section 3 counted how many "
                "documents say yes twice at the root.",
                right=True,
            ),
            Choice(
                "They must be divided by 1.6 before they are used.",
                "Then a document with labels on both sides could be sure of neither. That would be right if each "
                "document had exactly one label.",
            ),
            Choice(
                "The classifiers were trained badly: probabilities of the two halves add up to 1.",
                "They would if every document had labels on exactly one side. Section 3 counted: many have both.",
            ),
        ),
    ),
    Numeric(
        "Suppose that at each of 6 forks on a label's path, the search with beam 1 takes the label's turn with "
        "probability 0.95, whatever happened above. Which percentage of such labels does it still reach?",
        _found_by_one_path,
        "{answer} %: 0.95 to the power of 6. Small errors multiply along a path. A wider beam forgives a wrong turn as "
        "long as the right node is among the best few of its level; and a shallower tree has fewer forks.",
        slips=(
            Slip(lambda: 95.0, "That is one fork. All six must go right."),
            Slip(lambda: 100 - 6 * 5.0, "You added the errors. The chances of going right multiply."),
            Slip(lambda: 100 - _found_by_one_path(), "That is the share that is lost."),
        ),
        percent=True,
    ),
    MultipleChoice(
        "With beam 1, a label of a document was lost at the first fork. Which of these can bring it back, with the "
        "tree as it is?",
        (
            Choice(
                "A better classifier for the label itself, in its leaf.",
                "It is never asked: the search does not come by. No leaf can mend a wrong turn above it.",
            ),
            Choice(
                "More documents that have the label.",
                "They would help train its leaf, and a little the forks above. With the tree as it is, the fork has "
                "been decided.",
            ),
            Choice(
                "A wider beam, which keeps the second node of that level, too.",
                "Yes: its path stays open, and its own classifier gets a say, for time about proportional to the beam. "
                "It is no cure, though: the first fork's small probability remains a factor of its product.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "Bonsai drops Parabel's rule that clusters have equal sizes, and takes up to 100 clusters at once instead of "
        "two. What is the price?",
        (
            Choice(
                "More classifiers to ask at each node.",
                "A node with 100 children asks 100 classifiers where a fork asks two, and all of them are trained on "
                "all instances of the node. In return a path is short, and no label is pushed across to strangers to "
                "make halves equal.",
                right=True,
            ),
            Choice(
                "A deeper tree, as clusters of different sizes need more levels.",
                "With 100 children at each node, two or three levels are enough for a million labels.",
            ),
            Choice(
                "None: fewer levels are cheaper in every respect.",
                "Count the classifiers that one node asks: two at a fork, up to 100 here.",
            ),
        ),
    ),
    MultipleChoice(
        "A tag has three training documents. In most of FastXML's trees they end in different leaves, each among nine "
        "other documents. Why is the tag hardly ever among the first five labels?",
        (
            Choice(
                "The tree was grown without these documents.",
                "Every tree has all training documents in its leaves, and these three with them.",
            ),
            Choice(
                "It is outvoted: one vote of ten in each such leaf.",
                "A leaf ranks labels by how often they occur in it. A rare label is outvoted unless its documents are "
                "so alike that they stay together. That is what PfastreXML's weights and its re-ranker are for.",
                right=True,
            ),
            Choice(
                "nDCG gives labels with few documents a smaller gain.",
                "nDCG gives every label of a document the same gain. Weights come in with PfastreXML, and there rare "
                "labels get <i>larger</i> ones.",
            ),
        ),
    ),
    MultipleChoice(
        "Model A has the higher P@1, model B the higher PSP@1, on the same test documents. What do you conclude?",
        (
            Choice(
                "One of the two was computed wrongly.",
                "P@1 counts each right first answer once, PSP@1 weighs it by 1 / propensity: two orders are possible.",
            ),
            Choice(
                "B is better for tail labels, and A for all others.",
                "PSP is one sum over all labels. B may owe its gain to the torso alone; the tail lens tells.",
            ),
            Choice(
                "B's first answers are right less often, and those that are right are rarer labels, on the average.",
                "That is what the weights do (chapter 02). Whether B is the better model depends on who uses it. And "
                "before you trust the order, look at the recall of the tail itself: PSP also moves in the torso.",
                right=True,
            ),
        ),
    ),
]
