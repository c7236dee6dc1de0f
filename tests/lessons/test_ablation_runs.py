"""Chapter 09's stored study: hits are packed without loss, and agree with the table of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons.ablation_runs import (
    FIGURES,
    InstanceHits,
    decode_hits,
    encode_hits,
    hits_of,
    significance_explorer,
    stored_hits,
    stored_runs,
    winners_table,
    write_hits,
)


@pytest.fixture
def few() -> InstanceHits:
    """Three methods on 60 instances; b is a with ten more right labels of the tail, c is a."""
    rng = np.random.default_rng(0)
    first, counts = rng.random(60) < 0.5, rng.integers(0, 2, size=(60, 3))
    more = counts.copy()
    more[:10, 2] += 1
    codes = {("set", "ova"): encode_hits(first, counts), ("set", "b"): encode_hits(first, more)}
    return InstanceHits(codes | {("set", "c"): encode_hits(first, counts)}, {})


def test_hits_are_packed_without_loss() -> None:
    rng = np.random.default_rng(1)
    counts = np.array([row for row in rng.integers(0, 6, size=(500, 3)) if row.sum() <= 5])
    first = rng.random(len(counts)) < 0.5
    back_first, back_counts = decode_hits(encode_hits(first, counts))
    assert (back_first == first).all()
    assert (back_counts == counts).all()
    with pytest.raises(ValueError, match="at most 5"):
        encode_hits([True], [[3, 2, 1]])


def test_hits_by_hand() -> None:
    Y_train = csr_array(np.repeat([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], [4, 4, 2, 1], axis=0))
    S = csr_array(np.array([[0.1, 0.9, 0.5, 0.3, 0.2]])[:, :4])
    S = csr_array(np.hstack([S.toarray(), [[0.05]]]))
    Y_train = csr_array(np.hstack([Y_train.toarray(), np.zeros((11, 1), dtype=int)]))
    first, counts = decode_hits(hits_of(Y_train, csr_array(np.array([[0, 1, 0, 1, 1]])), S))
    assert first.tolist() == [True]
    assert counts.tolist() == [[1, 0, 1]]  # the last label is unseen in training and is of no part


def test_differences_find_what_was_planted(few: InstanceHits) -> None:
    tail = few.against("set", "ova", "P@5 tail").set_index("label")
    assert tail.loc["b", "difference"] == pytest.approx(10 / 60 / 5)
    assert tail.loc["b", "significant"]
    assert tail.loc["c", "p value"] == 1
    assert few.against("set", "ova", "P@5 head")["difference"].tolist() == [0, 0]


def test_what_is_unknown_is_named(few: InstanceHits) -> None:
    with pytest.raises(ValueError, match="figure"):
        few.values("set", "b", "P@9")
    with pytest.raises(ValueError, match="method: found 'x', wanted one of ova, b, c"):
        few.values("set", "x", "P@1")
    with pytest.raises(ValueError, match="base"):
        few.against("set", "x", "P@1")
    with pytest.raises(FileNotFoundError, match="pack_ablation"):
        stored_runs("none.parquet")
    with pytest.raises(FileNotFoundError, match="pack_ablation"):
        stored_hits("none.npz")


def test_written_hits_are_read_again(few: InstanceHits, tmp_path: Path) -> None:
    write_hits(InstanceHits(few.codes, {"set": np.arange(60, dtype=np.int32)}), tmp_path / "hits.npz")
    read = stored_hits(tmp_path / "hits.npz")
    assert list(read.codes) == list(few.codes)
    assert (read.codes["set", "b"] == few.codes["set", "b"]).all()
    assert read.groups["set"].tolist() == list(range(60))


def test_the_explorer_follows_its_menus(few: InstanceHits) -> None:
    view = significance_explorer(few)
    assert "ova" in view.figure.layout.xaxis.title.text
    view.controls["base"].value = "b"
    assert "over b" in view.figure.layout.xaxis.title.text.replace("<br>", " ")


def test_the_stored_hits_are_those_of_the_stored_runs() -> None:
    runs, hits = stored_runs(), stored_hits()
    assert set(zip(runs["data"], runs["method"], strict=True)) == set(hits.codes)
    assert (runs["evaluated"] == "test").all()
    for data, method in hits.codes:
        of_it = runs[(runs["data"] == data) & (runs["method"] == method)].sort_values("seed").iloc[0]
        for figure in FIGURES:
            assert hits.values(data, method, figure).mean() == pytest.approx(of_it[figure]), (data, method, figure)


def test_the_winners_are_the_highest_means() -> None:
    runs = stored_runs()
    table = winners_table(runs)
    tail = runs[runs["data"] == "debtags"].groupby("method")["R@5 tail"].mean()
    assert table.loc["debtags", "tail"].startswith(f"{tail.idxmax()} {100 * tail.max():.1f}")
