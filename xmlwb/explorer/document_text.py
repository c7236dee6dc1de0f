"""Documents as HTML: what they say, what they are labelled with, and what A and B say of them."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd

from xmlwb.explorer.run_source import Instances
from xmlwb.ranking import first_labels

_MOST, _CHARACTERS, _FEATURES = 15, 420, 12
_CELL = 'style="text-align:left;padding:4px 8px;border-bottom:1px solid #ddd;vertical-align:top;line-height:1.35"'


def documents_html(rows: pd.DataFrame, instances: Instances, S_a: Any, S_b: Any, *, k: int) -> str:
    """A table of the first 15 documents.

    Parameters
    ----------
    rows : DataFrame
        From `xmlwb.label_gains.documents_of`.
    instances : Instances
    S_a, S_b : csr_array (m, L)
    k : labels of each that are shown.
    """
    names = instances.dataset.label_names
    shown = rows.head(_MOST)
    picked = shown["row"].to_numpy()
    first = [first_labels(S[picked], k) for S in (S_a, S_b)]
    lines = []
    for place, (_, row) in enumerate(shown.iterrows()):
        i = int(row["row"])
        true = {int(label) for label in instances.Y[[i]].indices}
        cells = [f"<b>{escape(row['who'])}</b>", document_html(instances, i)]
        cells.append(", ".join(escape(names[label]) for label in sorted(true)))
        for labels in (side[place] for side in first):
            cells.append(", ".join(_told(names[label], label in true) for label in labels if label >= 0))
        lines.append("<tr>" + "".join(f"<td {_CELL}>{cell}</td>" for cell in cells) + "</tr>")
    titles = {"": "7em", "document": "20em", "true labels": "12em", "A says": "12em", "B says": "12em"}
    head = "".join(f'<th {_CELL}><div style="min-width:{w}">{title}</div></th>' for title, w in titles.items())
    more = f"<p>{_MOST} of {len(rows):,} documents. Right labels are bold.</p>" if len(rows) > _MOST else ""
    table = f'<table style="border-collapse:collapse;overflow-wrap:break-word"><tr>{head}</tr>{"".join(lines)}</table>'
    return f'<div style="overflow-x:auto">{table}</div>{more or "<p>Right labels are bold.</p>"}'


def document_html(instances: Instances, i: int) -> str:
    """What a document is called and the beginning of its text; without texts, its heaviest features."""
    dataset, split = instances.dataset, instances.split
    ids, texts = getattr(dataset, f"ids_{split}"), getattr(dataset, f"texts_{split}")
    name = f"<b>{escape(ids[i])}</b>: " if ids is not None else f"row {i}: "
    if texts is not None:
        text = " ".join(texts[i].split())
        return name + escape(text[:_CHARACTERS] + ("..." if len(text) > _CHARACTERS else ""))
    row = getattr(dataset, f"X_{split}")[[i]]
    heaviest = np.argsort(-row.data, kind="stable")[:_FEATURES]
    return name + "the features " + ", ".join(escape(dataset.feature_names[row.indices[at]]) for at in heaviest)


def _told(name: str, right: bool) -> str:
    return f"<b>{escape(name)}</b>" if right else f'<span style="color:#666">{escape(name)}</span>'
