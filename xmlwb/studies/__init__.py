"""Ablations: a study is data sets x methods x parameters x seeds; its runs are rows of one table on disk.

Importing this package imports neither torch, optuna nor Dask.
"""

from xmlwb.studies.data_source import DataSource, Rows, open_rows
from xmlwb.studies.running import StudyEvent
from xmlwb.studies.runs import read_predictions, read_runs
from xmlwb.studies.search import Search
from xmlwb.studies.study import Study

__all__ = ["DataSource", "Rows", "Search", "Study", "StudyEvent", "open_rows", "read_predictions", "read_runs"]
