"""Chapter 08: the cycle recorded, blended and varied, with the real model on a small planted set."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.lessons.blend_study import BlendStudy, parts_of
from xmlwb.lessons.cycle import recorder
from xmlwb.lessons.cycle_fit import CycleFit
from xmlwb.lessons.lightdxml_ablation import MEASURES, VARIANTS, list_recall, variants_study
from xmlwb.metrics import precision_at_k
from xmlwb.models import LightDXML, chain
from xmlwb.models.light_dxml import n_epochs_total

pytest.importorskip("torch", reason="torch is not installed")
CYCLE = {"n_epochs": 4, "n_label_epochs": 2, "rebuild_every": 2}
SMALL = {"n_components": 16, "shortlist_size": 8, "search": "exact", "device": "cpu", "n_jobs": 1}


@pytest.fixture(scope="module")
def ds():
    whole = make_synthetic(640, 40, n_features=200, valid_fraction=0.2, random_state=0)
    texts = [f"document {row}\nwith a line break" for row in range(whole.X_valid.shape[0])]
    return dataclasses.replace(whole, texts_valid=texts, label_names=[f"label {j}" for j in range(40)])


@pytest.fixture(scope="module")
def run(ds):
    model = LightDXML(**CYCLE, **SMALL)
    record, watch = recorder(model, ds, [3, 7, 11])
    study = BlendStudy(ds)
    model.fit(ds.X_train, ds.Y_train, eval_set=(ds.X_valid, ds.Y_valid), callback=chain(watch, study.recorder(model)))
    return model, record, study


def test_a_moment_for_each_step(run) -> None:
    _, record, _ = run
    phases = record.events["phase"].tolist()
    assert len(record.moments) == len(phases)
    assert phases[:6] == ["label", "label", "shortlist", "classifier", "classifier", "label"]
    assert sum(phase != "shortlist" for phase in phases) == n_epochs_total(**CYCLE)
    assert record.events["seconds"].gt(0).all()


def test_what_each_phase_moves(run) -> None:
    _, record, _ = run
    first_list = record.rebuilds[0]  # sets the classifier off from the label embeddings
    for at, (before, after) in enumerate(zip(record.moments, record.moments[1:], strict=False), start=1):
        scores_moved = not np.array_equal(before.scores, after.scores)
        lists_moved = not np.array_equal(before.shortlists, after.shortlists)
        assert scores_moved == (after.phase == "classifier" or at == first_list)
        assert lists_moved <= (after.phase == "shortlist")
        if after.phase == "shortlist":
            np.testing.assert_allclose(before.cosines, after.cosines, atol=2e-3)


def test_the_lists_are_the_nearest_at_the_rebuild(run) -> None:
    model, record, _ = run
    for at in record.rebuilds:
        moment = record.moments[at]
        cosines = moment.cosines.astype(float)
        cosines[:, np.setdiff1d(np.arange(40), model.learned_)] = -np.inf
        for document in range(3):
            least = np.sort(cosines[document])[-8]
            assert (cosines[document][moment.shortlists[document]] >= least - 2e-3).all()


def test_the_last_moment_is_the_model(run, ds) -> None:
    model, record, _ = run
    scores = model.embed(ds.X_valid[[3, 7, 11]]) @ model.W_.T + model.b_
    np.testing.assert_allclose(record.moments[-1].scores, scores, atol=0.05, rtol=2e-3)


def test_the_player_goes_through_all_steps(run) -> None:
    _, record, _ = run
    player = record.player()
    assert player.controls["step"].max == len(record.moments)
    assert "no shortlist yet" in player.figure.layout.title.text
    player.controls["step"].value = len(record.moments)
    player.controls["document"].value = 2
    assert "document 11 with a line break" in player.figure.layout.title.subtitle.text
    assert "labels in the shortlist" in player.figure.layout.title.text


def test_lists_before_and_after(run) -> None:
    _, record, _ = run
    view = record.list_explorer()
    assert view.controls["rebuild"].max == 2
    assert "Rebuild 1 of 2" in view.figure.layout.title.text
    view.controls["rebuild"].value = 0
    assert "First list" in view.figure.layout.title.text
    assert not len(view.figure.data[0].y)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_the_parts_blend_to_the_models_own_prediction(run, ds, beta: float) -> None:
    model, _, study = run
    model.beta = beta
    own = model.predict_topk(ds.X_valid, k=5)
    model.beta = 0.75
    ours = parts_of(model, ds.X_valid).topk(beta, 5, ds.n_labels)
    np.testing.assert_allclose(np.sort(own.data), np.sort(ours.data), atol=1e-5)
    assert precision_at_k(ds.Y_valid, own, 1)[0] == pytest.approx(precision_at_k(ds.Y_valid, ours, 1)[0], abs=0.01)
    assert len(study.parts) == CYCLE["n_epochs"]


def test_the_table_of_figure_2(run, ds) -> None:
    _, _, study = run
    table = study.table()
    assert len(table) == 11 * CYCLE["n_epochs"]
    row = table[(table["epoch"] == 3) & (table["beta"] == 0.4)].iloc[0]
    S = study.parts[2].topk(0.4, 5, ds.n_labels)
    assert row["P@1"] == precision_at_k(ds.Y_valid, S, 1)[0]
    view = study.explorer()
    view.controls["epoch"].value = 1
    assert "after epoch 1" in view.figure.layout.annotations[0].text


def test_variants_over_seeds(ds) -> None:
    make = partial(LightDXML, **{**CYCLE, "n_epochs": 2}, **SMALL)
    variants = {name: VARIANTS[name] for name in ("LightDXML: cycle", "no cycle: labels once", "features frozen")}
    runs = variants_study(make, ds, variants, seeds=(0, 1))
    assert runs["variant"].tolist() == [name for name in variants for _ in range(2)]
    assert set(MEASURES) <= set(runs)
    model = make(random_state=1).fit(ds.X_train, ds.Y_train)
    again = runs[(runs["variant"] == "LightDXML: cycle") & (runs["seed"] == 1)].iloc[0]
    assert again["P@1"] == pytest.approx(100 * precision_at_k(ds.Y_valid, model.predict_topk(ds.X_valid, k=5), 1)[0])
    assert again["in the list"] == pytest.approx(100 * list_recall(model.shortlist(ds.X_valid)[0], ds.Y_valid))


def test_a_live_fit_keeps_its_runs(ds) -> None:
    live = CycleFit(partial(LightDXML, **CYCLE, **SMALL), ds.X_train, ds.Y_train, eval_set=(ds.X_valid, ds.Y_valid))
    live.controls["cycle"].value = False
    live.controls["negatives"].value = "random"
    live.wait(120)
    live.controls["freeze_features"].value = True
    live.start().wait(120)
    names = [run.name for run in live.runs]
    assert names == ["random negatives, no cycle", "random negatives, features frozen, no cycle"]
    assert [len(run.events) for run in live.runs] == [7, 7]
    assert live.model.freeze_features


def test_rows_without_texts_are_refused(ds) -> None:
    with pytest.raises(ValueError, match="validation rows with texts"):
        recorder(LightDXML(), dataclasses.replace(ds, texts_valid=None), [0])


def test_features_have_unit_length(run, ds) -> None:
    model, _, _ = run
    x = model.embed(ds.X_valid)
    np.testing.assert_allclose(x, normalize(x), atol=1e-6)
