"""A folder with planted mistakes, for the notebook on one's own data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from xmlwb.datasets import Dataset

PLANTED = {
    "broken JSON": 1,
    "labels as text, not as a list": 3,
    "no labels": 4,
    "empty text": 2,
    "test documents copied from training": 12,
    "a label of the test part alone": 1,
    "training documents twice": 5,
}
"""The mistakes of `write_faulty_folder`, and how often it makes each."""


def write_faulty_folder(folder: str | Path, dataset: Dataset, n: int = 2400, seed: int = 0) -> Path:
    """Write documents of a set with texts as JSON lines, with the mistakes of `PLANTED`; the same for the same seed.

    Parameters
    ----------
    folder : path-like
        Made if it is not there; its ``train.jsonl`` and ``test.jsonl`` are written anew.
    dataset : Dataset
        With texts; its training documents are drawn from.
    n : int
        Documents in all, a quarter of them in the test part.
    seed : int
    """
    assert dataset.texts_train is not None
    rng = np.random.default_rng(seed)
    # No document twice but where it is planted, and none without labels.
    first = {" ".join(text.lower().split()): i for i, text in enumerate(dataset.texts_train)}
    sound = [i for i in sorted(first.values()) if dataset.Y_train.indptr[i + 1] > dataset.Y_train.indptr[i]]
    chosen = rng.permutation(np.array(sound))[:n]
    rows = [{"text": dataset.texts_train[i], "labels": dataset.labels_of("train", i)} for i in chosen.tolist()]
    train, test = rows[n // 4 :], rows[: n // 4]
    known = {label for row in train for label in row["labels"]}
    test = [{**row, "labels": [label for label in row["labels"] if label in known] or row["labels"]} for row in test]
    test = [row for row in test if set(row["labels"]) <= known]
    test += [dict(row) for row in train[100 : 100 + PLANTED["test documents copied from training"]]]
    test[3] = {**test[3], "labels": ["a brand-new label"]}
    train += [dict(row) for row in train[200 : 200 + PLANTED["training documents twice"]]]
    for k in range(PLANTED["labels as text, not as a list"]):
        train[10 + k] = {**train[10 + k], "labels": ", ".join(train[10 + k]["labels"])}
    for k in range(PLANTED["no labels"]):
        train[20 + k] = {**train[20 + k], "labels": []}
    for k in range(PLANTED["empty text"]):
        train[30 + k] = {**train[30 + k], "text": " " * (1 + k)}
    lines = [json.dumps(row, ensure_ascii=False) for row in train]
    lines[40] = lines[40][:-12]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    test_lines = [json.dumps(row, ensure_ascii=False) for row in test]
    (folder / "test.jsonl").write_text("\n".join(test_lines) + "\n", encoding="utf-8")
    return folder


def mend(folder: str | Path) -> Path:
    """Mend a folder of `write_faulty_folder` the way its check advises; writes a folder beside it, named "mended".

    Labels that were written as text are split; a line that is no JSON, documents without text or labels, copies, and
    the label that training never has are left out.
    """
    folder = Path(folder)
    mended = folder.with_name(f"{folder.name}-mended")
    mended.mkdir(exist_ok=True)
    seen: set[str] = set()
    known: set[str] = set()
    for part in ("train", "test"):
        kept = []
        for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row["labels"], str):
                row["labels"] = row["labels"].split(", ")
            if part == "train":
                known.update(row["labels"])
            row["labels"] = [label for label in row["labels"] if label in known]
            key = " ".join(row["text"].lower().split())
            if key and row["labels"] and key not in seen:
                seen.add(key)
                kept.append(json.dumps(row, ensure_ascii=False))
        (mended / f"{part}.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return mended
