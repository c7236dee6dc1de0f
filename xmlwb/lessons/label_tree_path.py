"""Chapter 05: one document's way down a label tree, and the words that decide at each node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import shorten, wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_cascade import (
    lost_at,
    path_log_probabilities,
    ranking,
    searched,
    step_log_probabilities,
)
from xmlwb.lessons.label_tree_parts import TreeModel, label_counts, nodes_of_labels
from xmlwb.metrics import top_k_hits
from xmlwb.plots.label_path import PathStep, path_figure


def path_steps(
    model: TreeModel, x: csr_array, label: int, node_names: Sequence[str], feature_names: Sequence[str],
    *, tree: int = 0, n_words: int = 3,
) -> list[PathStep]:  # fmt: skip
    """Each step from the root to a label's leaf: its probability, the best sibling, and what each word adds.

    Words are weighed against the best sibling: they add ``x_j (w_j - w'_j)`` to the lead of the child's margin over
    the sibling's. A word that speaks for both alike decides nothing.

    Parameters
    ----------
    model : fitted `Parabel` or `Bonsai`
    x : csr_array, shape (1, d)
    label : int
        One that the tree holds.
    node_names : sequence of str, length n_nodes
        From `xmlwb.lessons.label_tree_names.node_table`.
    feature_names : sequence of str, length d
    tree, n_words : int
        At most ``n_words`` words that speak for the child and as many that speak against it.

    Raises
    ------
    ValueError
        If the tree does not hold the label.
    """
    shape = model.label_tree(tree)
    path = shape.path(label)
    steps = []
    for node, child in pairwise(path):
        W, bias = model.classifiers(node, tree)
        children = shape.children(node)
        margins = (x @ W).toarray()[0] + bias
        p = np.exp(-(np.maximum(0, 1 - margins) ** 2))
        place = child - children.start
        others = np.delete(np.arange(len(children)), place)
        best = int(others[np.argmax(margins[others])]) if len(others) else -1
        w, constant, ahead = W[:, [place]].toarray()[:, 0], bias[place], margins[place]
        if best >= 0:
            w, constant = w - W[:, [best]].toarray()[:, 0], constant - bias[best]
            ahead = ahead - margins[best]
        words, rest = _contributions(x, w, feature_names, n_words)
        steps.append(
            PathStep(
                node=child,
                name=node_names[child],
                probability=float(p[place]),
                lead=float(ahead),
                sibling=node_names[children[best]] if best >= 0 else "",
                sibling_probability=float(p[best]) if best >= 0 else np.nan,
                n_siblings=len(others),
                bias=float(constant),
                words=words,
                other_words=rest,
            )
        )
    return steps


def _contributions(
    x: csr_array, w: NDArray[np.float32], feature_names: Sequence[str], n_words: int
) -> tuple[list[tuple[str, float]], float]:
    """Words of x with their x_j w_j, those that say yes first; and the sum over the words left out."""
    parts = x.data * w[x.indices]
    order = np.argsort(-parts, kind="stable")
    yes = [i for i in order[:n_words] if parts[i] > 0]
    no = [i for i in order[::-1][:n_words] if parts[i] < 0][::-1]
    told = [(feature_names[x.indices[i]], float(parts[i])) for i in (*yes, *no)]
    return told, float(parts.sum() - sum(value for _, value in told))


@dataclass(frozen=True)
class Case:
    """A document and a label to follow; see `PathBrowser.cases`."""

    row: int
    label: int
    kind: str


class PathBrowser:
    """One document's way to a right, a wrong or a missed label, for ``slider_figure``.

    Parameters
    ----------
    model : fitted `Parabel` or `Bonsai`
    ds : Dataset
        With texts of its test documents, label names and feature names.
    nodes : DataFrame
        From `xmlwb.lessons.label_tree_names.node_table`, of the same tree.
    rows : sequence of int, optional
        Test documents to choose from; by default 300, evenly spread.
    tree : int
    beam : int
        Where missed labels are lost, and what is predicted, is told for this beam of this one tree.
    k : int
        Labels that count as predicted.

    Attributes
    ----------
    documents : dict of str to int
        Menu of the documents: name -> row of the test set.
    """

    KINDS = ("right", "wrong", "missed")

    def __init__(
        self, model: TreeModel, ds: Dataset, nodes: pd.DataFrame, rows: Sequence[int] | None = None, *,
        tree: int = 0, beam: int = 10, k: int = 5,
    ) -> None:  # fmt: skip
        self.model, self.ds, self.tree, self.beam, self.k = model, ds, tree, beam, k
        self._names = list(nodes["name"])
        if rows is None:
            rows = np.unique(np.linspace(0, ds.X_test.shape[0] - 1, 300).astype(int)).tolist()
        self._rows = {int(row): place for place, row in enumerate(rows)}
        self._shape = model.label_tree(tree)
        X, self._Y = csr_array(ds.X_test[list(rows)]), csr_array(ds.Y_test[list(rows)])
        path = path_log_probabilities(self._shape, step_log_probabilities(model, X, tree))
        kept = searched(self._shape, path, beam)
        self._path, self._kept = path, kept
        self._top, self._hits = top_k_hits(self._Y, ranking(self._shape, path, kept, ds.n_labels, k), k)
        self._lost = lost_at(self._shape, kept, self._Y)
        self._node = nodes_of_labels(self._shape, ds.n_labels)
        self.documents = {self._document_name(int(row)): int(row) for row in rows}

    def cases(self, row: int) -> dict[str, Case]:
        """What can be followed for a document: "✓ name" for right labels, "✗ name" for wrong, "… name" for missed."""
        at = self._rows[row]
        names = self.ds.label_names or []
        found: dict[str, Case] = {}
        predicted = [int(label) for label in self._top[at] if label >= 0]
        for rank, label in enumerate(predicted):
            kind = "right" if self._hits[at, rank] else "wrong"
            found[f"{'✓' if kind == 'right' else '✗'} {names[label]} (place {rank + 1})"] = Case(row, label, kind)
        for label in self._Y.indices[self._Y.indptr[at] : self._Y.indptr[at + 1]].tolist():
            if label not in predicted and self._node[label] >= 0:
                found[f"missed: {names[label]}"] = Case(row, label, "missed")
        return found

    def find(self, kind: str, *, lost: bool | None = None) -> list[Case]:
        """All cases of a kind; of the missed ones those that the beam lost, or that it only ranked too low."""
        found = [case for row in self._rows for case in self.cases(row).values() if case.kind == kind]
        return found if lost is None else [case for case in found if (self.lost_depth(case) >= 0) == lost]

    def lost_depth(self, case: Case) -> int:
        """The depth at which the beam dropped the label's path, -1 where it did not."""
        v = int(self._node[case.label])
        depth = -1
        while v > 0:
            if not self._kept[self._rows[case.row], v]:
                depth = int(self._shape.depth[v])
            v = int(self._shape.parent[v])
        return depth

    def menu(self, most: int = 12, rare: int = 20) -> dict[str, Case]:
        """One menu of documents and labels to follow, a quarter of each sort, each of another document and label.

        Right labels that are rare, but have ``rare`` training positives; wrong ones that the tree was most sure of;
        missed ones that the beam lost nearest to the root; missed ones that were reached and ranked just too low.
        """
        sorts = (
            ("right", None, "right", self._rarity(rare)),
            ("wrong", None, "wrong", lambda case: -self._log_probability(case)),
            ("missed", True, "lost by the beam", lambda case: (self.lost_depth(case), -self._log_probability(case))),
            ("missed", False, "ranked too low", lambda case: -self._log_probability(case)),
        )
        menu: dict[str, Case] = {}
        for kind, lost, said, key in sorts:
            rows: set[int] = set()
            labels: set[int] = set()
            for case in sorted(self.find(kind, lost=lost), key=key):  # type: ignore[arg-type]
                if case.row in rows or case.label in labels:
                    continue
                rows.add(case.row)
                labels.add(case.label)
                menu[f"{said}: {self._label_name(case.label)}, for {self._short_name(case.row)}"] = case
                if len(rows) >= max(1, most // len(sorts)):
                    break
        return menu

    def _rarity(self, rare: int) -> Callable[[Case], tuple[bool, int]]:
        counts = label_counts(self.ds.Y_train)
        return lambda case: (bool(counts[case.label] < rare), int(counts[case.label]))

    def _log_probability(self, case: Case) -> float:
        return float(self._path[self._rows[case.row], self._node[case.label]])

    def __call__(self, case: Case) -> go.Figure:
        """The way to one label."""
        at = self._rows[case.row]
        steps = path_steps(
            self.model, csr_array(self.ds.X_test[[case.row]]), case.label, self._names,
            self.ds.feature_names or [str(j) for j in range(self.ds.n_features)], tree=self.tree,
        )  # fmt: skip
        return path_figure(steps, lost=self.lost_depth(case), title=self._title(case, at))

    def _title(self, case: Case, at: int) -> str:
        node = int(self._node[case.label])
        p = float(np.exp(self._log_probability(case)))
        name = escape(self._label_name(case.label), quote=False)
        depth = self.lost_depth(case)
        own, others = self._path[at, node], self._path[at]
        before = (others > own) | ((others == own) & (self._shape.label < case.label))
        above = int((self._kept[at] & (self._shape.label >= 0) & before).sum())
        end = {
            "right": f"right, place {above + 1}",
            "wrong": f"wrong, place {above + 1}",
            "missed": (
                f"true, but lost: at depth {depth} it was not among the {self.beam} best nodes"
                if depth >= 0
                else f"true, reached, but only in place {above + 1}"
            ),
        }[case.kind]
        text = self.ds.texts_test[case.row] if self.ds.texts_test else ""
        quoted = wrap(shorten(" ".join(text.split()), 195, placeholder=" …"), 105)
        who = escape(self._short_name(case.row), quote=False)
        head = f"<b>{name}</b> for {who}: {end}. Product of the steps: {p:.3g}"
        return "<br>".join([head, *(f"<i>{escape(line, quote=False)}</i>" for line in quoted)])

    def _label_name(self, label: int) -> str:
        return self.ds.label_names[label] if self.ds.label_names else f"label {label}"

    def _short_name(self, row: int) -> str:
        return self.ds.ids_test[row] if self.ds.ids_test else f"document {row}"

    def _document_name(self, row: int) -> str:
        text = self.ds.texts_test[row].splitlines()[0] if self.ds.texts_test else ""
        return shorten(f"{self._short_name(row)}: {text}", 80, placeholder=" …")
