from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from xmlwb.datasets import Dataset
from xmlwb.lessons.lambda_choice import LambdaStudy, best_of_many, lambda_study, winners
from xmlwb.metrics import precision_at_k
from xmlwb.models.glas import EmbeddingClassifier

SETTINGS = {"n_components": 8, "n_epochs": 2, "batch_size": 32, "keep_probability": 1.0, "device": "cpu"}


def test_every_lambda_and_seed_is_measured_on_both_parts(small_dataset: Dataset) -> None:
    ds = dataclasses.replace(
        small_dataset, X_valid=small_dataset.X_test[:40], Y_valid=small_dataset.Y_test[:40],
        X_test=small_dataset.X_test[40:], Y_test=small_dataset.Y_test[40:],
    )  # fmt: skip
    told: list[str] = []
    study = lambda_study(ds, (10, 0.1), seeds=(0, 3), progress=told.append, **SETTINGS)
    assert told == ["lambda 10, seed 0", "lambda 10, seed 3", "lambda 0.1, seed 0", "lambda 0.1, seed 3"]
    model = EmbeddingClassifier(**SETTINGS, regularization=0.1, random_state=3).fit(ds.X_train, ds.Y_train)
    for found, X, Y in ((study.valid, ds.X_valid, ds.Y_valid), (study.test, ds.X_test, ds.Y_test)):
        assert found[1, 1] == pytest.approx(precision_at_k(Y, model.predict_topk(X, k=1), 1)[0])
    with pytest.raises(ValueError, match="small has no validation rows"):
        lambda_study(small_dataset, (1.0,))


def test_the_figure_has_lambdas_in_order_and_rings_the_chosen() -> None:
    study = LambdaStudy([10.0, 0.1], np.array([[0.7, 0.8], [0.5, 0.6]]), np.array([[0.6, 0.7], [0.55, 0.65]]))
    figure = study.figure(10.0)
    (mean,) = [t for t in figure.data if t.name and t.name.startswith("validation")]
    assert (list(mean.x), list(mean.y)) == (["0.1", "10"], pytest.approx([55, 75]))
    (ring,) = [t for t in figure.data if t.name == "chosen"]
    assert (ring.x[0], ring.y[0]) == ("10", pytest.approx(75))
    assert "<b>65.0</b> on test rows" in figure.layout.title.text
    assert "chosen" not in [t.name for t in study.figure().data]


def test_the_best_of_many_is_flattered_as_order_statistics_say() -> None:
    n, truth = 1_500, 0.7
    spread = np.sqrt(truth * (1 - truth) / n)
    assert best_of_many(1, n).mean() == pytest.approx(truth, abs=4 * spread / np.sqrt(2_000))
    middle = truth + spread * norm.ppf(0.5 ** (1 / 20))  # the median of the largest of 20
    assert np.median(best_of_many(20, n)) == pytest.approx(middle, abs=0.002)
    assert best_of_many(20, 15_000).mean() < best_of_many(20, 150).mean()


def test_sliders_of_the_winners() -> None:
    view = winners()
    before = view.figure.layout.title.text
    view.controls["m"].value = 1
    assert view.figure.layout.title.text != before
    assert "The best of 1 " in view.figure.layout.title.text
