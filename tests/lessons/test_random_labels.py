from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons import theory
from xmlwb.lessons.random_labels import BEST, DIMS, SUM, ProjectedLabels, RandomLabels, projected_labels, random_labels


def test_title_curve_and_ring_say_the_same() -> None:
    figure = RandomLabels(n=32)(d=256, s=2, K=1_000)
    trials = {t.d: t for t in theory.accuracy_by_dimension(2, 1_000, DIMS, n=32)}
    assert f"<b>{trials[256].perfect:.0%} of the instances</b>" in figure.layout.title.text
    assert f"kept by {trials[256].promised:.0%}" in figure.layout.title.subtitle.text
    (curve,) = [t for t in figure.data if t.name == "φ = sum"]
    assert list(curve.y) == [100 * trials[d].perfect for d in DIMS]
    (ring,) = [t for t in figure.data if t.name == "the sliders as they stand"]
    assert (ring.x[0], ring.y[0]) == (256, 100 * trials[256].perfect)
    proofs = [t.x[0] for t in figure.data if "d = " in (t.name or "")]
    assert proofs == [theory.proof_dimension(2, 32, 1_000, all_labels=flag) for flag in (False, True)]


def test_histograms_hold_all_scores() -> None:
    figure = RandomLabels(n=16)(d=64, s=3, K=100)
    for name in ("an irrelevant label", "the highest irrelevant one", "a relevant label"):
        (drawn,) = [t for t in figure.data if t.name == name]
        assert 99 < sum(drawn.y) <= 100 + 1e-6


def test_sliders_move_the_ring_and_best_places_gather() -> None:
    view = random_labels(n=16, steps=60)
    assert view.values == {"d": 64, "s": 5, "K": 20_000, "phi": SUM}
    view.controls["K"].value = 1_000
    view.controls["phi"].value = BEST
    view.controls["d"].value = 32
    (stars,) = [t for t in view.figure.data if t.name == "φ = best, where you looked"]
    assert list(stars.x) == [32, 64]
    assert "with φ the sum" in view.figure.layout.title.subtitle.text


def test_projection_shows_pairs_beside_the_band() -> None:
    rng = np.random.default_rng(0)
    Y = csr_array((rng.random((80, 40)) < 0.06).astype(np.float32))
    counts = np.bincount(Y.indices, minlength=40)
    figure = ProjectedLabels(Y)(d=512, a=3)
    kept = (counts > 0) & (counts <= 3)
    found = theory.johnson_lindenstrauss(csr_array(Y[:, np.flatnonzero(kept)]), 512, np.random.default_rng(0))
    assert f"<b>{found.perfect:.0%} of the documents</b>" in figure.layout.title.text
    assert f"the {kept.sum()} labels" in figure.layout.title.subtitle.text
    (pairs,) = [t for t in figure.data if t.name == "a pair of labels"]
    assert len(pairs.x) == kept.sum() * (kept.sum() - 1) // 2
    assert np.abs(np.array(pairs.y) - np.array(pairs.x)).max() <= found.largest_error + 1e-9
    view = projected_labels(Y)
    assert view.controls["a"].options[-1][1] == counts.max()
    view.controls["a"].value = 2
    assert "at most a = 2" in view.figure.layout.title.subtitle.text
