"""What there is: data sets, methods and chapters as rows, for the command line and the README alike."""

from __future__ import annotations

from dataclasses import dataclass

from xmlwb.datasets import available, load
from xmlwb.datasets.debian import BUNDLED
from xmlwb.datasets.registry import STANDARD, SetInfo


@dataclass(frozen=True)
class DataSetRow:
    """One data set's sizes; None where they are not known or, for a generator, not fixed."""

    key: str
    title: str
    n_train: int | None
    n_test: int | None
    n_features: int | None
    n_labels: int | None
    origin: str


def data_sets() -> list[DataSetRow]:
    """Every data set that `load` knows, in its order.

    Sizes of the bundled sets are counted from the loaded arrays (seconds the first time), those of the standard sets
    are the published ones.
    """
    return [_row(name) for name in available()]


def _row(name: str) -> DataSetRow:
    if name in BUNDLED:
        ds = load(name)
        sizes = (ds.n_train, int(ds.X_test.shape[0]), ds.n_features, ds.n_labels)
        return DataSetRow(name, ds.card.title, *sizes, "in the box")
    if name in STANDARD:
        info = STANDARD[name]
        how = "download" if info.sources else "bring the files"
        return DataSetRow(name, info.title, info.n_train, info.n_test, info.n_features, info.n_labels, how)
    return DataSetRow(name, name, None, None, None, None, "generated")


def published_facts(info: SetInfo) -> str:
    """What is published on a standard set, for one whose files are not here."""
    numbers = {
        "training instances": info.n_train,
        "test instances": info.n_test,
        "features": info.n_features,
        "labels": info.n_labels,
    }
    facts = {what: f"{number:,}" for what, number in numbers.items() if number is not None}
    facts |= {"propensity A, B": "{}, {}".format(*info.propensity_ab), "usual files": info.layout, "note": info.note}
    lines = [info.title, "=" * len(info.title), ""]
    return "\n".join(lines + [f"{what}: {value}" for what, value in facts.items() if value])
