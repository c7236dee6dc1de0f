"""A study whose data are loaded, shared with the workers and hashed, so that its runs have names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xmlwb.studies.plan import PlannedRun
from xmlwb.studies.settings import Job, identifying_params, new_model, run_id, takes_seed
from xmlwb.studies.shared_rows import rows_hash, share_rows

if TYPE_CHECKING:
    from xmlwb.studies.study import Study


class Opened:
    """Loads each of the study's data sets and writes its rows into the folder.

    Parameters
    ----------
    study : Study
    folder : Path
        A temporary one, which whoever opened the study removes.
    """

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self._hashes, self._rows = [], []
        for i, source in enumerate(study.sources):
            dataset = study.datasets.get(i) or source.load()
            rows = source.rows_of(dataset, study.evaluate)
            share_rows(rows, folder / str(i))
            self._hashes.append(rows_hash(rows))
            self._rows.append((rows.X_train.shape, rows.Y_train.shape[1], rows.X_train.nnz))

    def shape_of(self, source: int) -> tuple[int, int, int, int]:
        """n, d, L and the stored entries of X."""
        (n, d), n_labels, nnz = self._rows[source]
        return n, d, n_labels, nnz

    def grid_jobs(self) -> list[Job]:
        """The grid's runs, each once."""
        jobs: dict[str, Job] = {}
        for place, planned in enumerate(self.study.planned()):
            job = self.job(planned, place)
            jobs.setdefault(job.run, job)
        return list(jobs.values())

    def job(self, planned: PlannedRun, place: int, pruning: Mapping[str, Any] | None = None) -> Job:
        study, method = self.study, planned.variant.method
        model = new_model(method, planned.given, planned.seed)
        params, source = identifying_params(model), study.sources[planned.source]
        decisive: dict[str, Any] = {
            "data": self._hashes[planned.source],
            "method": method,
            "params": params,
            "on": study.evaluate,
        }
        decisive["seed"] = planned.seed if takes_seed(method) else None
        if pruning is not None:  # which trials there are to compare with follows from the search
            decisive["pruning"] = {name: value for name, value in pruning.items() if name != "history"}
        return Job(
            run=run_id(**decisive),
            study=study.name,
            place=place,
            data=source.title,
            source=source.to_json(),
            data_hash=self._hashes[planned.source],
            method=method,
            label=planned.label,
            given=planned.given,
            params=json.dumps(params),
            seed=planned.seed,
            evaluated=study.evaluate,
            rows=str(self.folder / str(planned.source)),
            watch=study.curves or pruning is not None or params.get("patience") is not None,
            keep_predictions=study.predictions,
            pruning=pruning,
        )
