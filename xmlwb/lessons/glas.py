"""Quick checks and exercises of chapter 07, overfitting and the GLaS regulariser."""

from __future__ import annotations

from math import sqrt

from xmlwb.lessons.exercises import Exercise
from xmlwb.lessons.glas_exercises import CHOOSE_LAMBDA, GLAS_LOSS
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip

EXERCISES: list[Exercise] = [GLAS_LOSS, CHOOSE_LAMBDA]


def _cut(none: tuple[float, float] = (99.23, 92.34), glas: tuple[float, float] = (98.77, 94.21)) -> float:
    """How much smaller the second gap is, in per cent of the first: table 2, AmazonCat-13K."""
    return 100 * (1 - (glas[0] - glas[1]) / (none[0] - none[1]))


QUESTIONS: list[Question] = [
    Numeric(
        "Random signs, d = 320. An instance with s = 5 labels lies at the sum of their vectors. How many standard "
        "deviations is the threshold ½ above the mean score of an <i>irrelevant</i> label, 0?",
        lambda: 0.5 / sqrt(5 / 320),
        "{answer}: the score is a sum of five inner products, each of variance 1/d, so its deviation is √(5/320) = "
        "0.125. One label comes past four deviations by chance once in 30,000 times, and there are K labels to try: "
        "that is where log K in the theorem comes from, and s because noise of s labels adds up.",
        slips=(
            Slip(lambda: 0.5 * sqrt(320), "That is one inner product's deviation, 1/√320. The score is a sum of five."),
            Slip(lambda: 0.5 / (5 / 320), "You divided by the variance. Take its root."),
            Slip(lambda: 0.5 / (5 / sqrt(320)), "Variances add up, not deviations: the root of five, not five."),
            Slip(lambda: 8.0, "That is how far the relevant label's own 1 is from 0. How far is ½?"),
        ),
    ),
    MultipleChoice(
        "Theorem 2.1 says that low-dimensional vectors <i>exist</i> with which all training instances come out right. "
        "What does it say about new instances?",
        (
            Choice(
                "They come out right, too, if d is large enough for the training instances.",
                "φ(x) is the sum of the vectors of x's labels: to place a new x one must know its labels already.",
            ),
            Choice(
                "Nothing, as long as φ is any function at all.",
                "The construction looks up x's labels and places x by them. It shows that there is room; a network has "
                "to find the place from the words. (With S = 𝒳 the theorem does speak of all instances, and of a φ "
                "that knows all their labels.)",
                right=True,
            ),
            Choice(
                "They come out wrong: with random vectors for labels nothing can be learned.",
                "Random label vectors are no hindrance as such: chapter 06 sent documents to random vectors, and was "
                "about as good as with the label graph's.",
            ),
        ),
    ),
    MultipleChoice(
        "A network of 64 dimensions reaches 98 % P@1 on training rows and 48 % on validation rows. Somebody proposes "
        "d = 512. What do these two numbers say about that?",
        (
            Choice(
                "64 dimensions have room for the training rows' labels; the 50 points in between are something else.",
                "A model that is too narrow fails on training rows as well: d = 16 does, see the menu. A wider one may "
                "still generalise better (d = 256 gains some points on validation rows, the paper's table 1 has 1.0 "
                "from 256 to 1,024), but not because there was no room.",
                right=True,
            ),
            Choice(
                "It will close the gap: 64 numbers cannot hold thousands of labels, so that many of them must share a "
                "place.",
                "Then training rows would be wrong, too. They are right.",
            ),
            Choice(
                "It will do harm: more parameters, more overfitting.",
                "That may be or not, and these two numbers do not say. Try it on validation rows.",
            ),
        ),
    ),
    Numeric(
        "The paper's table 2, AmazonCat-13K: without regularisation 99.23 in training and 92.34 in test, with it 98.77 "
        "and 94.21. By how many per cent is the gap cut?",
        _cut,
        "{answer} %: from 6.89 points to 4.56. Of the 2.33 points, 1.87 are a better test figure, and {below} are a "
        "worse training figure. Note that a gap can be cut without any gain: stop after one epoch.",
        slips=(
            Slip(lambda: 2.33, "That is in points: 6.89 − 4.56. Which part of 6.89 is it?"),
            Slip(lambda: 100 - _cut(), "That is what is left of the gap."),
            Slip(lambda: 100 * 2.33 / 4.56, "You divided by the new gap. The cut is a part of the old one."),
            Slip(lambda: 1.87, "That is the gain in test, in points."),
        ),
        percent=True,
        facts={"below": lambda: 99.23 - 98.77},
    ),
    MultipleChoice(
        "Two tags always come together: every document with one has the other. Where do the regularisers want their "
        "unit vectors?",
        (
            Choice(
                "Spread-out on one and the same place, GLaS at a right angle.",
                "The other way round: spread-out wants every inner product to be 0.",
            ),
            Choice(
                "Both at a right angle: a label must be told from every other one.",
                "Spread-out wants that, and it is what it is blamed for. In GLaS u = 1 for this pair.",
            ),
            Choice(
                "Spread-out at a right angle, GLaS on the same place.",
                "With u = ½(1 + 1) = 1 GLaS wants an inner product of 1. Spread-out wants 0, though each document that "
                "is near one of them should be near the other, too: that is the over-penalisation.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "Graph Laplacian plus spread-out is GLaS plus a constant. Which assumption does this step need?",
        (
            Choice(
                "That U is the arithmetic mean of the two conditional frequencies.",
                "Any symmetric U will do: the pair's terms are completed to a square whatever u is.",
            ),
            Choice(
                "That all label vectors have length one.",
                "Then ‖v − v'‖² = 2 − 2 v·v', and u(2 − 2v·v') + (v·v')² = (v·v' − u)² − (u² − 2u). With free "
                "lengths, ‖v‖² would stay in the sum, and the Laplacian could be made small by short vectors.",
                right=True,
            ),
            Choice(
                "That labels are drawn uniformly for a batch.",
                "The step is about the whole sum; a batch only estimates it.",
            ),
        ),
    ),
    Numeric(
        "A hub occurs with everybody; other labels occur only together with the hub, rarely, and never with each "
        "other. GLaS wants about ½ between the hub and each of them, and 0 among them. For how many of them is there "
        "room?",
        lambda: 4.0,
        "{answer}, in any number of dimensions. Mutually orthogonal unit vectors split the hub's length: the squares "
        "of its inner products with them add up to at most 1, and each takes ¼. With hundreds of them the regulariser "
        "asks for what does not exist, and gets a compromise. (Geometric "
        "means are cosines of the columns of Y, so there are always vectors that have them.)",
        slips=(
            Slip(
                lambda: 2.0,
                "Inner products of ½ add up to 1 for two; but their <i>squares</i> count, and ¼ fits more often.",
            ),
            Slip(lambda: 64.0, "More dimensions do not help: all of them have to be near one and the same hub."),
            Slip(lambda: 63.0, "More dimensions do not help: all of them have to be near one and the same hub."),
        ),
    ),
    Numeric(
        "Input dropout with ρ = 0.6: each word of a document is kept with this chance. A network has found that three "
        "rare words together give a training document away. In what share of the epochs does it see all three?",
        lambda: 100 * 0.6**3,
        "{answer} %. A pattern of many words seldom survives, a single telling word survives in 60 % of the epochs: "
        "what a document is recognised by is made unreliable, what labels are recognised by hardly.",
        slips=(
            Slip(lambda: 60.0, "That is one word. All three must be kept."),
            Slip(lambda: 100 * (1 - 0.6**3), "That is how often at least one of them is missing."),
            Slip(lambda: 100 * 0.4**3, "That is how often all three are left out."),
        ),
        percent=True,
    ),
    MultipleChoice(
        "A colleague has tried 20 settings, and reports the best P@1 that one of them reached on 1,500 test rows. All "
        "20 are in truth equally good, at 70 %. What will be reported, roughly?",
        (
            Choice(
                "70 %: each of them is measured without bias.",
                "Each single one is. The highest of 20 is not.",
            ),
            Choice(
                "Less than 70 %, since settings that were tuned on so few rows must have overfitted them.",
                "The rows chose among settings, they did not train them. What is reported is too high, not too low.",
            ),
            Choice(
                "72 %: the best is lucky.",
                "One measurement deviates by √(0.7 · 0.3 / 1,500) = 1.2 points, and the highest of 20 lies about 1.9 "
                "deviations up: 2.2 points, more than many a paper's gain. Validation rows may choose; they then "
                "flatter themselves, and the test rows do not.",
                right=True,
            ),
        ),
    ),
]
