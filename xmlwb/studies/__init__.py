"""Ablations: a study is data sets x methods x parameters x seeds; its runs are rows of one table on disk.

In Python::

    study = Study("debtags", ["popular", "ova", "parabel"], grid={"ova": {"C": [0.1, 1.0, 10.0]}}, seeds=3)
    print(study.forecast())
    runs = study.run("my-study")            # again: only what is missing
    final_studies(study, "my-study")[0].run("my-study")   # the best settings on the test rows

As a file, for ``xmlwb sweep my-study.yaml``::

    name: what C does
    data: debtags                  # or a list; or {name: bibtex, split: 3}; rows: 2000 for a part of the training rows
    models:
      popular:
      ova: {tol: 0.01}             # held fixed
      own name: {method: parabel, n_trees: 1}
    grid:
      ova: {C: [0.1, 1, 10], threshold: [0.0, 0.1]}
    search:                        # instead of a grid, for the models in its space
      space:
        own name: {C: {low: 0.1, high: 10, log: true}, beam: [5, 10, 20]}
      trials: 20
      metric: P@5                  # on validation rows
      prune: valid P@5             # the fit's figure by which hopeless trials are given up; or false
    seeds: 3                       # or a list
    evaluate: valid                # "test" is for final figures
    predictions: true              # keep each run's five best labels a row

In a notebook `xmlwb.widgets.LiveStudy` shows the table as it fills. Importing this package imports neither torch,
optuna nor Dask.
"""

from xmlwb.studies.chosen import chosen_settings, final_studies
from xmlwb.studies.data_source import DataSource, Rows, open_rows
from xmlwb.studies.running import StudyEvent
from xmlwb.studies.runs import read_predictions, read_runs
from xmlwb.studies.search import Search
from xmlwb.studies.study import Study

__all__ = [
    "DataSource",
    "Rows",
    "Search",
    "Study",
    "StudyEvent",
    "chosen_settings",
    "final_studies",
    "open_rows",
    "read_predictions",
    "read_runs",
]
