"""Quick checks and exercises of chapter 08, LightDXML beside Astec."""

from __future__ import annotations

from math import exp

from xmlwb.lessons.beta_exercise import CHOOSE_BETA
from xmlwb.lessons.exercises import Exercise
from xmlwb.lessons.lightdxml_exercises import BLEND, LABEL_CENTROIDS
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip

EXERCISES: list[Exercise] = [LABEL_CENTROIDS, BLEND, CHOOSE_BETA]


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def _easy_for_one_hard(easy: float = -5.0, hard: float = 1.0) -> float:
    """How many negatives at the low score push as hard as one at the high score."""
    return _sigmoid(hard) / _sigmoid(easy)


def _total(e_model: int = 21, e_label: int = 6, e_hat: int = 9) -> int:
    """Epochs of a run, with table V's figures of AmazonTitles-670K."""
    return e_model + e_label * (e_model // e_hat + 1)


QUESTIONS: list[Question] = [
    MultipleChoice(
        "The label loss, equation 2, has positives only: it draws Z(j) to the documents of label j, and pushes nothing "
        "apart. Why do the labels not all end in one place?",
        (
            Choice(
                "Because the logarithm in log(1 + ‖x − Z(j)‖²) stops the pull before they meet.",
                "It makes far documents pull less, so that a few outliers do not decide. It never pushes.",
            ),
            Choice(
                "Because the documents do not move in this phase.",
                "Only Z is trained; the features x are fixed. A label comes to lie among its documents, and different "
                "documents keep different labels apart. Trained along, features could all go to 0, and the loss with "
                "them.",
                right=True,
            ),
            Choice(
                "Because the ReLU keeps some coordinates at 0.",
                "It keeps labels in one corner of the space, if anything. Nor does it push.",
            ),
        ),
    ),
    Numeric(
        "Table V, AmazonTitles-670K: e_model = 21, e_label = 6, and labels are trained again after every ê_label = 9 "
        "epochs of the classifier. How many epochs in all?",
        _total,
        "{answer}: 21 of the classifier and three times 6 of the labels, once before the first epoch and then after 9 "
        "and 18.",
        slips=(
            Slip(lambda: 21 + 6 * 2, "You forgot the label phase before the first epoch of the classifier."),
            Slip(lambda: 21 + 6, "The labels are trained again after every 9 epochs of the classifier."),
            Slip(lambda: 21 + 6 * (21 / 9 + 1), "There is no third of a label phase: round down."),
            Slip(lambda: 21 + 9 * (21 // 6 + 1), "e_label and ê_label are swapped."),
        ),
        tolerance=0.001,
    ),
    Numeric(
        "The gradient of the cross entropy in a negative's score s is σ(s). How many easy negatives, at s = −5, push "
        "together as hard as one hard negative at s = 1?",
        _easy_for_one_hard,
        "{answer}: σ(1) is {hard}, σ(−5) is {easy}. Of 571 labels most are easy for a document, and a step that sums "
        "over all of them spends its time on next to nothing. That is what a shortlist is for.",
        slips=(
            Slip(lambda: exp(6), "That is e⁶, the ratio of the odds. The gradient is σ(s), not eˢ."),
            Slip(lambda: _sigmoid(-5) / _sigmoid(1), "You divided the other way round."),
            Slip(lambda: 6.0, "That is the difference of the scores. Take the sigmoids, and divide them."),
        ),
        tolerance=0.03,
        facts={"hard": lambda: _sigmoid(1), "easy": lambda: _sigmoid(-5)},
    ),
    MultipleChoice(
        "Classifier epochs move the features, and the shortlist was made before them. A run never rebuilds it. What do "
        "you expect of the negatives' hardness, the mean σ(s) over the shortlist, as the epochs go by?",
        (
            Choice(
                "It rises: the classifier forgets labels that it never sees.",
                "It does see the shortlist's labels, in every epoch, and pushes them down.",
            ),
            Choice(
                "It falls: the classifier learns just these negatives, and others that have become confusing are not "
                "on the list.",
                "A fixed list becomes easy, and a new one finds what is hard by now. Whether that pays is another "
                "question: it depends on how much of the hard labels the first list held already.",
                right=True,
            ),
            Choice(
                "It stays: the shortlist is the same, so it is as hard as ever.",
                "Hardness is the classifier's opinion of the list, and the classifier learns.",
            ),
        ),
    ),
    Numeric(
        "A vector gets into the next higher layer of an HNSW graph by chance, one of M. With the 670,091 labels of "
        "AmazonTitles-670K and M = 16: how many are in layer 2, roughly?",
        lambda: 670_091 / 16**2,
        "{answer}, and in layer 4 about ten. So there are about log L / log M layers, and a greedy search takes a few "
        "hops in each: hence the log L in table I.",
        slips=(
            Slip(lambda: 670_091 / 16, "That is layer 1. Layer 0 holds all of them."),
            Slip(lambda: 670_091 / 16**3, "That is layer 3. Layer 0 holds all of them."),
            Slip(lambda: 670_091 / 32, "One of M at each layer, so twice: M², not 2M."),
            Slip(lambda: 2.0, "Count from below: layer 0 holds all of them."),
        ),
        digits=4,
    ),
    MultipleChoice(
        "With ef = 1 the search in layer 0 keeps only the one nearest label found so far, and stops when none of its "
        "links is nearer. What may go wrong?",
        (
            Choice(
                "It may stop at a label that is nearer than all its links, although a nearer one lies elsewhere.",
                "A hill-climber on a local top. With ef = 10 it may go through nine worse labels before it gives up; "
                "that costs distances, and is the knob between time and recall.",
                right=True,
            ),
            Choice(
                "It may go round in circles.",
                "Each hop goes to a strictly nearer label, so it never comes back.",
            ),
            Choice(
                "It may need as many distances as there are labels.",
                "It looks at the links of the labels on its way only. Too few distances are its trouble, not too many.",
            ),
        ),
    ),
    MultipleChoice(
        "LightDXML does without a re-ranker, and Astec has one. What does a re-ranker need that costs memory?",
        (
            Choice(
                "Features and a weight vector for each label, of its own, beside those of the classifier.",
                "It is a second model of the same form, trained on what the first one gets wrong. Hence about twice "
                "the size, and twice the work at a prediction.",
                right=True,
            ),
            Choice(
                "The shortlist of every training document.",
                "Only while it is trained; they are not part of the model.",
            ),
            Choice(
                "A dense table of all documents and labels.",
                "Nobody can afford that at this size; it is trained on the first model's mistakes among a few labels.",
            ),
        ),
    ),
    Numeric(
        "β = 0.75. Two labels are in the shortlist, with cosines 1 and 0. By how much must the classifier's "
        "probability σ(s) of the second exceed that of the first, for it to come first? (As a number, two digits.)",
        lambda: 0.25 * (_sigmoid(1) - 0.5) / 0.75,
        "{answer}. A cosine goes through a sigmoid as it is, so the shortlist's whole range is from σ(0) = 0.5 to σ(1) "
        "= 0.73. At β = 0.75 it can only decide what the classifier leaves nearly open.",
        slips=(
            Slip(lambda: 0.25 * (_sigmoid(1) - 0.5), "Nearly: the classifier's difference is multiplied by β."),
            Slip(lambda: 0.25 / 0.75, "You compared the cosines; they go through a sigmoid first."),
            Slip(lambda: 0.75 * (_sigmoid(1) - 0.5) / 0.25, "β weighs the classifier, 1 − β the shortlist."),
            Slip(lambda: 0.25 * _sigmoid(1) / 0.75, "A cosine of 0 counts, too: its sigmoid is one half."),
        ),
        tolerance=0.04,
        digits=2,
    ),
    MultipleChoice(
        "On the Pareto front of training time and P@1 stand nearest neighbours and one-vs-all, far apart. A third is "
        "not on the front. What does that say?",
        (
            Choice(
                "It is worse than both.",
                "It may well be better than one and faster than the other.",
            ),
            Choice(
                "Some method trains no longer than it and is no less precise, and is better in one of the two.",
                "That is what not being on the front means. It says nothing of size, of the time of a prediction, of "
                "the tail, nor of other data: each of these has a front of its own.",
                right=True,
            ),
            Choice(
                "It lies under the straight line between the two.",
                "A front has steps: between two methods there is nothing to have. (One can flip a coin between two "
                "predictions, but that halves no model and no training.)",
            ),
        ),
    ),
]
