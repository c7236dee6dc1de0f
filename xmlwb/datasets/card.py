"""The data card: where a data set comes from, what it looks like in figures, and what is wrong with it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Card:
    """A data card in the survey's three terms: volume, quantity and quality.

    Attributes
    ----------
    title, source, licence, made : str
        Made: how the documents, labels, splits and features came about.
    figures : dict of dict
        ``figures["volume" | "quantity" | "quality"][what] -> number``, see :func:`compute_figures`. A key that
        starts with "share" holds a fraction of 1.
    faults : tuple of str
        Known faults, one sentence or two each.
    measured : mapping
        Figures that are not recomputed on loading: what was measured -> result, with the command's name.
    """

    title: str
    source: str
    licence: str
    made: str
    figures: Figures = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    measured: Mapping[str, str] = field(default_factory=dict)

    def with_figures(
        self,
        X_train: csr_array,
        Y_train: csr_array,
        Y_valid: csr_array | None,
        Y_test: csr_array,
        n_unlabelled: int | None = None,
    ) -> Card:
        """The same card with the figures of these arrays; the count of unlabelled documents is kept if not given."""
        if n_unlabelled is None:
            n_unlabelled = int(self.figures.get("quality", {}).get("unlabelled documents kept aside", 0))
        return replace(self, figures=compute_figures(X_train, Y_train, Y_valid, Y_test, n_unlabelled))

    def to_markdown(self) -> str:
        """The card as Markdown, figures as tables."""
        parts = [f"## {self.title}", f"**Source.** {self.source}", f"**Licence.** {self.licence}"]
        parts.append(f"**How made.** {self.made}")
        for group, figures in self.figures.items():
            rows = "\n".join(f"| {what} | {format_figure(what, value)} |" for what, value in figures.items())
            parts.append(f"| {group} | |\n|---|---:|\n{rows}")
        if self.measured:
            rows = "\n".join(f"| {what} | {result} |" for what, result in self.measured.items())
            parts.append(f"| measured | |\n|---|---|\n{rows}")
        if self.faults:
            parts.append("**Known faults.**\n\n" + "\n".join(f"- {fault}" for fault in self.faults))
        return "\n\n".join(parts) + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def to_text(self, width: int = 100) -> str:
        """The card as plain text, for a terminal of ``width`` columns."""

        def paragraph(text: str, first: str = "") -> str:
            return textwrap.fill(text, width, initial_indent=first, subsequent_indent="  ")

        lines = [self.title, "=" * len(self.title)]
        for head, text in (("Source", self.source), ("Licence", self.licence), ("How made", self.made)):
            lines += ["", paragraph(f"{head}: {text}")]
        for group, figures in self.figures.items():
            lines += ["", group]
            wide = max(map(len, figures), default=0)
            lines += [f"  {what:<{wide}}  {format_figure(what, value):>12}" for what, value in figures.items()]
        if self.measured:
            lines += ["", "measured"]
            lines += [paragraph(f"{what}: {result}", "  ") for what, result in self.measured.items()]
        if self.faults:
            lines += ["", "known faults"]
            lines += [paragraph(fault, "- ") for fault in self.faults]
        return "\n".join(lines) + "\n"


def format_figure(what: str, value: float) -> str:
    """A figure for reading: shares as per cent, whole numbers with separators, others to three digits."""
    if what.startswith("share"):
        return f"{100 * value:.1f} %"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}"


def compute_figures(
    X_train: csr_array,
    Y_train: csr_array,
    Y_valid: csr_array | None,
    Y_test: csr_array,
    n_unlabelled: int = 0,
) -> Figures:
    """Figures of volume, quantity and quality, in O(nnz + L log L).

    Head and tail: labels are ordered by training positives, the head is the most frequent 1 % of them (at least
    one label), the tail the labels of five training positives or fewer. Label entropy is that of the label of a
    random training (document, label) pair, in bits; even use of all labels would give log2 L.
    """
    n, d = X_train.shape
    L = Y_train.shape[1]
    splits = [Y_train, Y_test] if Y_valid is None else [Y_train, Y_valid, Y_test]
    per_label = np.bincount(Y_train.indices, minlength=L)
    per_test = np.bincount(Y_test.indices, minlength=L)
    per_any = np.sum([np.bincount(Y.indices, minlength=L) for Y in splits], axis=0)
    per_document = np.diff(Y_train.indptr)
    per_features = np.diff(X_train.indptr)
    mass = max(1, int(per_label.sum()))
    ordered = np.sort(per_label)[::-1]
    shares = per_label[per_label > 0] / mass
    tail = per_label <= 5
    without = sum(int((np.diff(Y.indptr) == 0).sum()) for Y in splits)
    labelled = sum(Y.shape[0] for Y in splits)
    volume = {
        "training documents n": n,
        "validation documents": 0 if Y_valid is None else Y_valid.shape[0],
        "test documents": Y_test.shape[0],
        "features d": d,
        "labels L": L,
        "non-zeros of X_train": X_train.nnz,
        "non-zeros of Y_train": Y_train.nnz,
        "features a training document": _mean(per_features),
    }
    quantity = {
        "labels a document, all splits": sum(Y.nnz for Y in splits) / max(1, labelled),
        "labels a training document, median": _quantile(per_document, 0.5),
        "labels a training document, most": _quantile(per_document, 1.0),
        "training documents a label, mean": _mean(per_label),
        "training documents a label, median": _quantile(per_label, 0.5),
        "training documents a label, most": _quantile(per_label, 1.0),
        "share of label mass in the head (most frequent 1 % of labels)": ordered[: max(1, L // 100)].sum() / mass,
        "share of label mass in the tail (labels of 5 training positives or fewer)": per_label[tail].sum() / mass,
        "share of labels with 5 training positives or fewer": _mean(tail),
        "share of labels with 1 training positive": _mean(per_label == 1),
        "share of labels with 5 positives or fewer, all splits": _mean(per_any <= 5),
        "label entropy, bits": float(-(shares * np.log2(shares)).sum()) + 0.0,
        "label entropy of even use, bits": float(np.log2(max(1, L))),
    }
    quality = {
        "documents without labels, all splits": without,
        "training documents without features": int((per_features == 0).sum()),
        "labels without training positives": int((per_label == 0).sum()),
        "share of labels without training positives": _mean(per_label == 0),
        "share of test positives of labels without training positives": (
            per_test[per_label == 0].sum() / max(1, int(per_test.sum()))
        ),
        "unlabelled documents kept aside": n_unlabelled,
        "share of all documents unlabelled": n_unlabelled / max(1, n_unlabelled + labelled),
    }
    groups = {"volume": volume, "quantity": quantity, "quality": quality}
    return {group: {what: float(value) for what, value in figures.items()} for group, figures in groups.items()}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def _quantile(values: np.ndarray, q: float) -> float:
    return float(np.quantile(values, q)) if values.size else 0.0
