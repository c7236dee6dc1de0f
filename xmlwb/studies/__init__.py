"""Ablations: a study is data sets x methods x parameters x seeds; its runs are rows of one table on disk.

Importing this package imports neither torch, optuna nor Dask.
"""

from xmlwb.studies.runs import read_predictions, read_runs

__all__ = ["read_predictions", "read_runs"]
