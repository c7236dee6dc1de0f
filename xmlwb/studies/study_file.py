"""Studies as YAML files: the arguments of `Study` by their names, with errors that name the key."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xmlwb.studies.plan import near

if TYPE_CHECKING:
    from xmlwb.studies.study import Study

_KEYS = ("name", "data", "models", "grid", "search", "seeds", "evaluate", "predictions", "curves")


def read_study(path: str | os.PathLike) -> Study:
    """The study of a file; see `Study.from_yaml`."""
    from xmlwb.studies.study import Study

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no study file at {path}")
    try:
        return Study(**{"name": path.stem, **_arguments(path.read_text(encoding="utf-8"))})
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"found {_brief(found)}, wanted keys with values: {', '.join(_KEYS)}")
    for key in found:
        if key not in _KEYS:
            raise ValueError(f"{key}: no such key; {near(str(key), _KEYS)}")
    for key in ("data", "models"):
        if found.get(key) is None:
            raise ValueError(f"{key}: missing, wanted {'a data set' if key == 'data' else 'methods'}")
    return {key: value for key, value in found.items() if value is not None}


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which takes no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value}: is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def study_text(study: Study) -> str:
    """A file's text that says the same study."""
    sources = [{k: v for k, v in asdict(source).items() if v not in (None, {}, False)} for source in study.sources]
    defaults = {"valid_fraction": 0.1, "seed": 0}
    sources = [{k: v for k, v in source.items() if defaults.get(k) != v} for source in sources]
    short = [source["name"] if list(source) == ["name"] else source for source in sources]
    document: dict[str, Any] = {
        "name": study.name,
        "data": short if len(short) > 1 else short[0],
        "models": {v.name: _model(v.name, v.method, v.fixed) for v in study.variants},
        "grid": study.given_grid,
        "search": None if study.search is None else _plain(asdict(study.search)),
        "seeds": list(study.seeds),
        "evaluate": study.evaluate,
        "predictions": study.predictions,
        "curves": study.curves,
    }
    kept = {key: value for key, value in document.items() if value not in (None, {}, False)}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def _model(name: str, method: str, fixed: dict[str, Any]) -> dict[str, Any]:
    from xmlwb.studies.settings import as_json

    return ({} if name == method else {"method": method}) | {key: as_json(value) for key, value in fixed.items()}


def _plain(value: Any) -> Any:
    """Without what is None or False among ranges' arguments."""
    if isinstance(value, dict):
        if set(value) == {"low", "high", "log", "step"}:
            return {key: item for key, item in value.items() if item not in (None, False)}
        return {key: _plain(item) for key, item in value.items()}
    return value


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
