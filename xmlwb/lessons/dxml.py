"""Quick checks and exercises of chapter 06, the label graph and its deep embedding."""

from __future__ import annotations

from xmlwb.lessons.exercises import Exercise
from xmlwb.lessons.graph_exercises import LABEL_TARGETS, ONE_WALK
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip
from xmlwb.lessons.vote_exercise import KNN_VOTE

EXERCISES: list[Exercise] = [ONE_WALK, LABEL_TARGETS, KNN_VOTE]


def _edges(n_labels: int = 12) -> float:
    return n_labels * (n_labels - 1) / 2


def _pairs(length: int = 40, window: int = 5) -> float:
    return float(sum(2 * (length - gap) for gap in range(1, window + 1)))


QUESTIONS: list[Question] = [
    Numeric(
        "One document with 12 labels comes in. How many edges can it add to the label graph, at most?",
        _edges,
        "{answer}: every pair of its labels, 12 · 11 / 2. The number grows with the <i>square</i> of a document's "
        "labels, so one document with hundreds of labels (they exist) makes a thick knot, in which everybody is "
        "everybody's neighbour.",
        slips=(
            Slip(lambda: 144.0, "That is 12 · 12: a label is not its own neighbour, and an edge has two ends."),
            Slip(lambda: 132.0, "You counted every pair twice: the edge from a to b is the edge from b to a."),
            Slip(lambda: 78.0, "You counted the diagonal, too. A label is not its own neighbour."),
            Slip(lambda: 12.0, "That would be a ring. Each label is joined to all eleven others."),
            Slip(lambda: 11.0, "That is the edges of one of the twelve labels."),
        ),
    ),
    MultipleChoice(
        "A walk on a connected weighted graph goes on for very long. How often does it come to a label?",
        (
            Choice(
                "In proportion to the sum of the weights of the label's edges.",
                "Many roads lead there, so many steps end there. That is why frequent labels fill the walks whatever "
                "label they start from, and why DeepWalk starts the same number of walks at <i>every</i> label: a rare "
                "one is at least at the beginning of its own.",
                right=True,
            ),
            Choice(
                "Equally often, since the same number of walks starts at every label.",
                "The first label of a walk is spread evenly. A few steps later the start is nearly forgotten, and the "
                "weights of the edges decide.",
            ),
            Choice(
                "The more often, the nearer it is to the start.",
                "At first. In the long run a walk on a connected graph forgets where it began.",
            ),
        ),
    ),
    Numeric(
        "A walk of 40 labels, window 5: a pair is a label and another one that stands at most five places before or "
        "after it. How many (ordered) pairs does the walk give?",
        _pairs,
        "{answer}: at a gap of g there are 40 − g pairs, and each counts in both directions. The window, not the walk "
        "length, decides how far apart two labels may be and still pull on each other.",
        slips=(
            Slip(lambda: 400.0, "That is 40 · 10. Labels near the two ends have fewer than ten others around them."),
            Slip(lambda: _pairs() / 2, "You counted each pair once; a is a context of b, and b of a."),
            Slip(lambda: 70.0, "That is the pairs at a gap of exactly five. Smaller gaps count, too."),
        ),
    ),
    MultipleChoice(
        "On the map two tags lie side by side, but there is no edge between them in the graph. What follows?",
        (
            Choice(
                "One of the two is a mistake: what is near in the embedding shares documents.",
                "DeepWalk puts together what has the same <i>surroundings</i>. Two words for the same thing may never "
                "stand in one document, and should lie side by side.",
            ),
            Choice(
                "They occur together in documents that we have not got.",
                "That may be so, and nothing in the data says it.",
            ),
            Choice(
                "Either they have the same neighbours in the graph, or flattening to two dimensions put them there.",
                "Look at the nearest in all dimensions to tell the two apart: the figure does, and names which is "
                "which.",
                right=True,
            ),
        ),
    ),
    Numeric(
        "The network's answer f_x is one long. The mean of the label embeddings, f_y, has length 0.6. How large is the "
        "loss (½ of the squared distance) at least, however well the network learns?",
        lambda: 0.08,
        "{answer}: in the right direction, 0.4 are missing, and ½ · 0.4² = 0.08. The paper's formulas leave this gap: "
        "they scale f_x to length one, and not f_y. A document whose labels disagree has a short f_y, so it has the "
        "larger loss at the best possible answer. <code>DXML</code> here scales both.",
        slips=(
            Slip(lambda: 0.16, "That is the squared distance; the loss has a factor ½."),
            Slip(lambda: 0.4, "That is the distance. The loss is half of its square."),
            Slip(lambda: 0.18, "That is ½ · 0.6². How far is a point at length 1 from one at length 0.6?"),
            Slip(lambda: 0.0, "f_x lies on the sphere and f_y inside of it: they cannot meet."),
        ),
    ),
    Numeric(
        "A tag has three training documents. A new document comes to lie right among them: all three are among its "
        "k = 20 nearest. Which score does the tag get from the vote, in percent?",
        lambda: 15.0,
        "{answer} %: 3 of 20. More is impossible, however good the embedding is. Any tag that more than three of the "
        "20 have comes before it. A smaller k gives rare labels a larger share, and all labels a noisier one.",
        slips=(
            Slip(lambda: 5.0, "That is one neighbour of 20. All three have the tag."),
            Slip(lambda: 100.0, "All of the tag's documents are there; but the score is the share of the neighbours."),
            Slip(lambda: 60.0, "That is 3 of 5. The vote is among k = 20 neighbours."),
        ),
        percent=True,
    ),
    MultipleChoice(
        "A tag has a single training document, which also has six frequent tags. What does the label graph do for it?",
        (
            Choice(
                "It finds the tag more documents: those of the six others.",
                "The vote asks documents, and only one has the tag. The graph changes where things lie, not who has "
                "which label.",
            ),
            Choice(
                "It gives it a sensible place, near its six companions; its one vote of k stays what it is.",
                "A label with six edges is walked to, and gets an embedding that says what it is about. But in DXML an "
                "embedding does not score: neighbours vote, and one of k = 20 is 5 %.",
                right=True,
            ),
            Choice(
                "Nothing: a label with one document is isolated in the graph.",
                "Six edges come with that document. Isolated are labels that only occur <i>alone</i>, frequent or not.",
            ),
        ),
    ),
    MultipleChoice(
        "In debtags' hierarchy a tag hangs below its facet, and a facet below nothing. What do walks on this graph "
        "teach that walks on the co-occurrence graph do not?",
        (
            Choice(
                "Nothing: it has fewer edges, so it holds less.",
                "Fewer, but other ones: people wrote them. Two tags of a facet are neighbours here even if no document "
                "has both.",
            ),
            Choice(
                "Which programming language goes with which kind of program: a path of two steps.",
                "There is no path between two facets: they are separate stars. That relation only the documents tell.",
            ),
            Choice(
                "Which tags are of one kind, also for a tag that no document has.",
                "A tag without documents has no edge in the co-occurrence graph, and one here. What kinds have to do "
                "with each other the hierarchy cannot say: there is no path between two facets.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "A thousand new documents arrive, with known tags. <code>DXML.partial_fit</code> takes them in. What does it "
        "leave as it was?",
        (
            Choice(
                "The places of the tags, and so what the network is asked to learn.",
                "New edges do not move the tags, and a tag that had no edge so far stays without a place. Walks and "
                "graph are the cheap part, but with new places all of the network would have to be trained again.",
                right=True,
            ),
            Choice(
                "The network's weights.",
                "They take steps on the new documents: that is what incremental learning means here.",
            ),
            Choice(
                "The documents that vote.",
                "The new ones join the vote at once; for that alone the network need not even be trained.",
            ),
        ),
    ),
]
