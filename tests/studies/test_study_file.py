"""Study files: what they say is what runs; a mistake is named by its key."""

from __future__ import annotations

import pytest

from xmlwb.studies import Study

WHOLE = """
name: what C does
data:
  - bibtex
  - {name: debtags, rows: 2000}
models:
  popular:
  ova: {max_iter: 50}
  strict: {method: ova, tol: 1e-2}
  knn:
grid:
  ova: {C: [0.1, 1], threshold: [0, 0.1]}
  strict:
    - {C: [1]}
    - {C: [2], threshold: [0.5]}
search:
  space:
    knn: {n_neighbors: {low: 5, high: 50, log: true}, search: [exact]}
  trials: 3
  prune: false
seeds: [0, 4]
predictions: yes
"""


def test_a_file_says_a_study(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(WHOLE)
    study = Study.from_yaml(path)
    assert [source.title for source in study.sources] == ["bibtex", "debtags, 2000 rows"]
    labels = [planned.label for planned in study.planned() if planned.source == 1 and planned.seed == 0]
    assert labels == [
        "popular", "ova C=0.1 threshold=0", "ova C=0.1 threshold=0.1", "ova C=1 threshold=0", "ova C=1 threshold=0.1",
        "strict C=1", "strict C=2 threshold=0.5",
    ]  # fmt: skip
    assert study.planned()[-1].given == {"tol": 0.01, "C": 2.0, "threshold": 0.5}
    assert study.planned()[-1].seed == 4
    assert study.n_runs == 2 * (1 + 2 * 6) + 2 * 2 * 3
    assert study.search.prune is None
    assert study.search.space["knn"]["n_neighbors"].low == 5
    again = tmp_path / "again.yaml"
    again.write_text(study.to_yaml())
    other = Study.from_yaml(again)
    assert other.to_yaml() == study.to_yaml()
    assert other.planned() == study.planned()
    assert other.search == study.search


BASE = {"data": "bibtex", "models": "[popular, ova, glas]"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"modles": "[knn]"}, "modles: no such key; did you mean models?"),
        ({"data": None}, "data: missing, wanted a data set"),
        ({"data": "bibtx"}, "data: name: no data set is called 'bibtx'; did you mean bibtex?"),
        ({"data": "[bibtex, {name: bibtex, splt: 1}]"}, "data[1]: splt: found, wanted split?"),
        ({"data": "{split: 1}"}, "data: name: missing"),
        ({"data": "{name: bibtex, rows: 0}"}, "data: rows: found 0, wanted at least 1"),
        ({"models": "[ovaa]"}, "models: no method is called 'ovaa'; did you mean ova?"),
        ({"models": "[ova, ova]"}, "models: 'ova' is named twice"),
        ({"models": "{a: {method: svmm}}"}, "models.a.method: no method is called 'svmm'"),
        ({"models": "{ova: {D: 1}}"}, "models.ova.D: ova has no parameter 'D'"),
        ({"models": "{ova: {C: big}}"}, "models.ova.C: found 'big', wanted a number (default 1.0)"),
        ({"models": "{ova: {C: -1}}"}, "models.ova: C is -1.0; wanted a number above 0"),
        ({"grid": "{knn: {n_neighbors: [1]}}"}, "grid.knn: no model of the study is called 'knn'"),
        ({"grid": "{ova: {C: [1, big]}}"}, "grid.ova.C[1]: found 'big', wanted a number"),
        ({"grid": "{ova: {C: []}}"}, "grid.ova.C: found no values"),
        ({"grid": "{ova: 3}"}, "grid.ova: found 3, wanted parameters with lists of values"),
        ({"grid": "{ova: {max_iter: [0]}}"}, "grid.ova: max_iter is 0; wanted"),
        ({"models": "{ova: {C: 1}}", "grid": "{ova: {C: [1]}}"}, "grid.ova.C: models.ova holds it at 1.0"),
        ({"seeds": "0"}, "seeds: found 0, wanted at least 1"),
        ({"seeds": "[1, 1]"}, "seeds: found [1, 1], wanted each once"),
        ({"seeds": "[a]"}, "seeds: found ['a'], wanted how many"),
        ({"evaluate": "train"}, "evaluate: found 'train', wanted 'valid' or 'test'"),
        ({"predictions": "2"}, "predictions: found 2, wanted true or false"),
        ({"search": "{space: {}}"}, "search.space: found {}, wanted parameters"),
        ({"search": "{space: {ova: {C: {low: 2, high: 1}}}}"}, "search.space.ova.C: found low 2.0 and high 1.0"),
        ({"search": "{space: {ova: {C: {lo: 2, high: 3}}}}"}, "search.space.ova.C: found {'lo': 2, 'high': 3}"),
        ({"search": "{space: {ova: {C: {low: -1, high: 3}}}}"}, "search.space.ova.C: C is -1.0; wanted"),
        ({"search": "{space: {ova: {C: [1]}}, trails: 3}"}, "search.trails: no such key; did you mean trials?"),
        ({"search": "{space: {ova: {C: [1]}}, trials: 0}"}, "search.trials: found 0, wanted a whole number"),
        ({"search": "{space: {ova: {C: [1]}}, metric: P@2}"}, "search.metric: found 'P@2', wanted one of P@1"),
        ({"search": "{space: {ova: {C: [1]}}}", "evaluate": "test"}, "test labels choose nothing"),
        ({"search": "{space: {ova: {C: [1]}}}", "grid": "{ova: {C: [1]}}"}, "grid.ova: search.space has it too"),
        ({"name": "''"}, "name: found '', wanted a name"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path, changed, says):
    path = tmp_path / "study.yaml"
    lines = {key: value for key, value in (BASE | changed).items() if value is not None}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    with pytest.raises(ValueError) as found:  # noqa: PT011
        Study.from_yaml(path)
    assert says in str(found.value)
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: [bibtex\nmodels: x", "line 2"),
        ("- bibtex", "found ['bibtex'], wanted keys"),
        ("data: bibtex\ndata: debtags\nmodels: [ova]", "line 2, column 1: data: is there twice"),
        ("data: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_no_study_file(tmp_path, text, says):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as found:  # noqa: PT011
        Study.from_yaml(path)
    assert says in str(found.value)
    with pytest.raises(FileNotFoundError, match="no study file at"):
        Study.from_yaml(tmp_path / "other.yaml")
