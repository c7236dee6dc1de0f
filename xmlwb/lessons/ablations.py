"""Quick checks and exercises of chapter 09, ablations."""

from __future__ import annotations

from xmlwb.lessons.ablation_exercises import HOLM, MAY_BE_BEST, PAIRED_INTERVAL
from xmlwb.lessons.exercises import Exercise
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip

EXERCISES: list[Exercise] = [PAIRED_INTERVAL, HOLM, MAY_BE_BEST]

QUESTIONS: list[Question] = [
    MultipleChoice(
        "A study of 200 runs is killed while run 58 is under way. Somebody gives the same command again, with four "
        "processes in place of one. What happens?",
        (
            Choice(
                "All 200 runs start again: the number of processes is another.",
                "How many processes there are decides nothing about a result, so it is no part of what a run is known "
                "by.",
            ),
            Choice(
                "143 runs are made; the 57 finished ones are read from the folder.",
                "A run is known by what decides its result: data, method, settings, seed, rows. Finished ones are on "
                "disk; the one that was under way is lost, and is made again.",
                right=True,
            ),
            Choice(
                "142 runs are made; run 58 goes on where it was.",
                "A row is written when a run ends. What was under way left nothing behind.",
            ),
        ),
    ),
    MultipleChoice(
        '<code>Study(..., search=..., evaluate="test")</code> is refused. Why?',
        (
            Choice(
                "Test rows are fewer than validation rows, so a search on them would be noisy.",
                "They are often more. Noise is not the reason: a large test set is as forbidden as a small one.",
            ),
            Choice(
                "A search keeps the best of many, and the best on these rows flatters itself on these rows.",
                "The test figure of the winner would be the largest of many noisy numbers. Choose on validation rows, "
                "then measure the one choice on test rows.",
                right=True,
            ),
            Choice(
                "Optuna needs the curve of a fit, and there is none on test rows.",
                "It only needs a number at the end. The refusal is about what the number would mean.",
            ),
        ),
    ),
    MultipleChoice(
        "Method A: P@5 44.8, the tail's recall 40 %, 25 s. Method B: P@5 45.2, the tail's recall 45 %, 25 s. Method C: "
        "P@5 45.3, the tail's recall 41 %, 2 s. Which are on the Pareto front of seconds and the <i>tail's recall</i>?",
        (
            Choice("C alone.", "C is the cheapest, but B finds more of the tail, and nobody finds as much for less."),
            Choice(
                "B and C.",
                "C beats A in both. B costs more than C and finds more of the tail. On the front of seconds and P@5 C "
                "stands alone: a front belongs to a question.",
                right=True,
            ),
            Choice("All three.", "A costs more than C and finds less: whatever your taste, C is the better choice."),
        ),
    ),
    MultipleChoice(
        "Two methods have P@5 45.0 ± 0.7 and 44.6 ± 0.7 (95 % intervals over test instances). Is the difference real?",
        (
            Choice(
                "No: the intervals overlap.",
                "Both intervals hold what instances do to <i>both</i> methods: hard ones are hard for each. The "
                "difference, instance by instance, varies much less.",
            ),
            Choice(
                "Yes: 45.0 is the larger number, and thousands of instances stand behind it.",
                "A larger number is what one starts from. The question is whether other test rows would say the same.",
            ),
            Choice(
                "The two intervals do not tell; the interval of the paired difference does.",
                "It may well exclude 0. Two methods that agree on most instances differ surely by little.",
                right=True,
            ),
        ),
    ),
    Numeric(
        "20 settings, none better or worse than the base, are tested against it, each with p-values of its own "
        "(suppose the tests independent). What is the chance that at least one has p &lt; 0.05? In per cent, to two "
        "digits.",
        lambda: 100 * (1 - 0.95**20),
        "{answer} %. With 100 settings it is 99.4 %. When tests share the base, as in the figure, it is less, "
        "for a lucky or unlucky base makes many findings at once.",
        slips=(
            Slip(lambda: 100.0, "You added up 20 times 5 %. Some studies have two false findings, and others none."),
            Slip(lambda: 5.0, "That is a single test's. There are 20."),
            Slip(lambda: 100 * 0.95**20, "That is the chance of no false finding at all."),
        ),
        percent=True,
        digits=2,
    ),
    Numeric(
        "Ten settings against one base; the three smallest p-values are 0.001, 0.004 and 0.0055. What is Holm's "
        "corrected value of the third?",
        lambda: 0.0055 * 8,
        "{answer}: the smallest times 10 is 0.010, the second times 9 is 0.036, the third times 8 is 0.044, and no "
        "larger one came before. At a level of 0.05 all three hold.",
        slips=(
            Slip(lambda: 0.055, "That is Bonferroni's: times 10. The third smallest is held against the eight left."),
            Slip(lambda: 0.0055 * 7, "Two are gone before it: eight are left, this one counted."),
            Slip(lambda: 0.0055 * 3, "The smallest p-values have the largest factors: 10, 9, 8."),
            Slip(lambda: 0.0055 * 10 / 3, "That is Benjamini and Hochberg's step, m / rank."),
        ),
        digits=2,
    ),
    MultipleChoice(
        "A paper tests over 6,000 instances, one training each: its method is better, p &lt; 0.001. You train both "
        "from three seeds, and once the other one wins. Who is wrong?",
        (
            Choice(
                "The paper: p &lt; 0.001 says that the other one can win once in a thousand times.",
                "It says so of other test instances, with <i>these two trained models</i>. It cannot know of other "
                "trainings.",
            ),
            Choice(
                "You: three seeds are too few to say anything.",
                "They are few, but they have shown that the order may change with the seed.",
            ),
            Choice(
                "Perhaps nobody: instances speak of other test rows, seeds of other trainings.",
                "This model is better than that one, and the method is not surely better than that method. A claim "
                "about methods wants both.",
                right=True,
            ),
        ),
    ),
]
