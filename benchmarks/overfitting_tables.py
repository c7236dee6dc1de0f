"""The tables of overfitting.py: runs as rows, and what they say beside the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from overfitting_studies import ABLATION, PAPER_GAP, PUBLISHED, TITLES
from plotly.subplots import make_subplots
from run_store import Job, RunStore
from scipy import stats

from xmlwb.plots.theme import BLUE, VERMILION

Named = tuple[str, str, Job]

#: Of a model's parameters those that the tables name; the words for None.
PARAMETERS = {
    "loss": "", "regularizer": "none", "regularization": "", "keep_probability": "", "batch_size": "",
    "n_components": "", "activation": "linear", "learning_rate": "", "label_learning_rate": "", "n_epochs": "",
}  # fmt: skip
BAR_TRAIN, BAR_CUT, BAR_RAISE = 97.0, 30.0, 1.0
BAR_UNDER = {"eurlex-4.3k": 3.0, "debdeps": 1.0}


def _described(named: Named, run: dict[str, Any]) -> dict[str, Any]:
    study, setting, job = named
    params = run["model"]
    words = {
        name: word if name in params and params[name] is None else params.get(name) for name, word in PARAMETERS.items()
    }
    return {"study": study, "setting": setting, "data": job["data"], "method": job["method"], **words} | {
        "seed": job["seed"]
    }


def runs_of(named: list[Named], store: RunStore) -> pd.DataFrame:
    """A row a run, in per cent: at its end, and ("best epoch", "best ...") where validation would have stopped."""
    rows = []
    for entry in named:
        run = store.get(entry[2])
        assert run is not None
        f = run["figures"]
        row = _described(entry, run) | {"epoch": f["epoch"], "seconds": f["seconds"]}
        row |= {f"{part} P@1": f[f"{part} P@1"] for part in ("train", "valid", "test")}
        row |= {"gap": f["train P@1"] - f["test P@1"]}
        row |= {name: f[f"test {name}"] for name in ("P@3", "P@5", "PSP@1", "PSP@3", "PSP@5")}
        if run["curve"]:
            best = max(run["curve"], key=lambda epoch: epoch["valid P@1"])
            row |= {"best epoch": best["epoch"]}
            row |= {f"best {part} P@1": best[f"{part} P@1"] for part in ("train", "valid", "test")}
            row |= {"best PSP@1": best["test PSP@1"]}
        rows.append(row)
    return pd.DataFrame(rows)


def curves_of(named: list[Named], store: RunStore) -> pd.DataFrame:
    """A row for each run and epoch."""
    rows = []
    for entry in named:
        run = store.get(entry[2])
        assert run is not None
        for epoch in run["curve"]:
            figures = {"PSP@1" if name == "test PSP@1" else name: value for name, value in epoch.items()}
            described = _described(entry, run)
            del described["learning_rate"], described["label_learning_rate"], described["n_epochs"]
            rows.append(described | figures)
    return pd.DataFrame(rows)


def interval(values: Any) -> tuple[float, float]:
    """The mean and the half width of its 95 % t interval; NaN for one value."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def said(values: Any, sign: str = "") -> str:
    mean, half = interval(values)
    return f"{mean:{sign}.2f}" + ("" if np.isnan(half) else f" +- {half:.2f}")


def report(study: str, runs: pd.DataFrame) -> bool:
    """Print a study's tables; False if a bar is missed."""
    return {"table2": _gap, "table1": _ablation, "best": _best}[study](runs)


def _table(rows: list[dict[str, Any]]) -> None:
    print(pd.DataFrame(rows).to_string(index=False, na_rep=""))


def _gap(runs: pd.DataFrame) -> bool:
    met = True
    print("\nTable 2, AmazonCat-13K and Amazon-670K as the paper has them (Train, Test, Gap):")
    for name, rows in PAPER_GAP.items():
        print(f"  {name}: " + "; ".join(f"{setting} {a:.2f}, {b:.2f}, {c:.2f}" for setting, (a, b, c) in rows.items()))
    columns = {"train P@1": "Train", "test P@1": "Test", "gap": "Gap", "PSP@1": "PSP@1", "best epoch": "best epoch",
               "best train P@1": "Train there", "best test P@1": "Test there", "best PSP@1": "PSP@1 there"}  # fmt: skip
    for name, of_data in runs.groupby("data", sort=False):
        seeds = of_data["seed"].nunique()
        print(f"\n{TITLES[str(name)]}: per cent, mean and 95 % interval over {seeds} seeds")
        _table(
            [
                {"setting": setting, "epochs": f"{rows['epoch'].mean():.0f}"}
                | {title: said(rows[column]) for column, title in columns.items()}
                for setting, rows in of_data.groupby("setting", sort=False)
            ]
        )
        by_seed = {setting: rows.set_index("seed") for setting, rows in of_data.groupby("setting", sort=False)}
        if not {"none", "GLaS + dropout"} <= set(by_seed):
            met &= _verdict("none and GLaS + dropout, which the bars compare: not both run", False)
            continue
        none = by_seed["none"]
        train = none["train P@1"].mean()
        met &= _verdict(f"nothing: training P@1 {train:.2f}, bar above {BAR_TRAIN:g}", train > BAR_TRAIN)
        for setting, rows in by_seed.items():
            if setting == "none":
                continue
            both = none.index.intersection(rows.index)
            a, b = none.loc[both], rows.loc[both]
            cut = 100 * (1 - b["gap"] / a["gap"])
            text = (
                f"{setting}: gap cut by {said(cut)} %, test P@1 {said(b['test P@1'] - a['test P@1'], '+')}, "
                f"PSP@1 {said(b['PSP@1'] - a['PSP@1'], '+')}; each stopped at its best epoch, test P@1 "
                f"{said(b['best test P@1'] - a['best test P@1'], '+')}"
            )
            if setting == "GLaS + dropout":
                raised = (b["test P@1"] - a["test P@1"]).mean()
                text += f"; bars {BAR_CUT:g} % and +{BAR_RAISE:.1f}"
                met &= _verdict(text, cut.mean() >= BAR_CUT and raised >= BAR_RAISE)
            else:
                print(text)
    return met


def _verdict(text: str, met: bool) -> bool:
    print(f"{text}: {'met' if met else 'MISSED'}")
    return met


def _ablation(runs: pd.DataFrame) -> bool:
    for name, of_data in runs.groupby("data", sort=False):
        print(f"\nTable 1 on {TITLES[str(name)]}: test P@1 at validation's epoch; the paper's on AmazonCat-13K")
        rows, effects = [], {}
        for factor, levels in ABLATION.items():
            both: list[tuple[float, float]] = []
            for level, _, paper in levels:
                own = of_data[of_data["setting"] == f"{factor}: {level}"]
                if own.empty:
                    continue
                rows.append(
                    {
                        "": factor,
                        "level": level,
                        "paper": paper,
                        "ours": said(own["best test P@1"]),
                        "PSP@1": said(own["best PSP@1"]),
                        "epoch": f"{own['best epoch'].mean():.0f}",
                        "at the end: train": said(own["train P@1"]),
                        "test": said(own["test P@1"]),
                        "gap": said(own["gap"]),
                        "s": f"{own['seconds'].mean():.0f}",
                    }
                )
                if paper is not None:
                    both.append((paper, own["best test P@1"].mean()))
            if len(both) == sum(paper is not None for *_, paper in levels):
                effects[factor] = np.array(both)
        _table(rows)
        print("\nEffects, largest less smallest level (of the levels that the paper has), and the best level:")
        order = sorted(effects, key=lambda factor: -np.ptp(effects[factor][:, 0]))
        compared = []
        for factor in order:
            points, names = effects[factor], [level for level, _, paper in ABLATION[factor] if paper is not None]
            at = points.argmax(axis=0)
            agree = stats.kendalltau(points[:, 0], points[:, 1]).statistic
            compared.append(
                {
                    "": factor,
                    "paper": f"{np.ptp(points[:, 0]):.2f}",
                    "ours": f"{np.ptp(points[:, 1]):.2f}",
                    "paper's best": names[at[0]],
                    "ours best": names[at[1]],
                    "order of levels, tau": f"{agree:+.2f}",
                }
            )
        _table(compared)
        if len(effects) > 2:
            sizes = np.array([np.ptp(effects[factor], axis=0) for factor in order])
            rho = stats.spearmanr(sizes[:, 0], sizes[:, 1]).statistic
            print(f"Order of the {len(order)} effects, paper against ours: Spearman {rho:+.2f}")
    return True


def _best(runs: pd.DataFrame) -> bool:
    met = True
    columns = ["test P@1", "P@3", "P@5", "PSP@1", "PSP@3", "PSP@5", "valid P@1", "train P@1", "seconds"]
    for name, of_data in runs.groupby("data", sort=False):
        print(f"\n{TITLES[str(name)]}: test rows, mean and 95 % interval over {of_data['seed'].nunique()} seeds")
        _table(
            [
                {"method": method} | {column: said(rows[column]) for column in columns}
                for method, rows in of_data.groupby("method", sort=False)
            ]
        )
        if name == "eurlex-4.3k":
            near = "; ".join(f"{method} {a:.1f}, {b:.1f}" for method, (a, b) in PUBLISHED.items())
            print(f"published by LibMultiLabel, P@1, P@5 (other conventions of dev and test, other inputs): {near}")
        of_method = {method: rows.set_index("seed") for method, rows in of_data.groupby("method")}
        if not {"glas", "ova", "parabel"} <= set(of_method):
            met &= _verdict("GLaS, OneVsAll and Parabel, which the bars compare: not all run", False)
            continue
        shared = sorted(set.intersection(*(set(rows.index) for rows in of_method.values())))
        mean = of_data[of_data["seed"].isin(shared)].groupby("method")[["test P@1", "PSP@1"]].mean()
        under = mean.loc["parabel", "test P@1"] - mean.loc["glas", "test P@1"]
        bar = BAR_UNDER[str(name)]
        met &= _verdict(f"GLaS is {under:+.2f} under Parabel's P@1; bar at most {bar:g}", under <= bar)
        own, others = mean.loc["glas", "PSP@1"], mean.loc[["ova", "parabel"], "PSP@1"]
        text = f"PSP@1 {own:.2f}, OneVsAll {others['ova']:.2f}, Parabel {others['parabel']:.2f}"
        if name == "eurlex-4.3k":
            met &= _verdict(f"{text}; bar: above both", bool(own > others.max()))
        else:
            print(text)
    return met


def curves_table(curves: pd.DataFrame) -> str:
    """Figure 1 as a table: means over seeds, after each epoch."""
    both = curves[curves["setting"].isin(["none", "GLaS + dropout"])]
    means = both.groupby(["data", "epoch", "setting"], sort=False)[["train P@1", "valid P@1", "test P@1"]].mean()
    return str(means.unstack("setting").to_string(float_format="%.2f", na_rep=""))


def figure_of(curves: pd.DataFrame) -> go.Figure:
    """Figure 1: P@1 on training rows (full lines) and test rows (dashed), a panel a data set."""
    names = list(dict.fromkeys(curves["data"]))
    figure = make_subplots(1, len(names), subplot_titles=[TITLES[name] for name in names], shared_yaxes=True)
    for column, name in enumerate(names, start=1):
        for setting, color in {"none": VERMILION, "GLaS + dropout": BLUE}.items():
            rows = curves[(curves["data"] == name) & (curves["setting"] == setting)]
            means = rows.groupby("epoch")[["train P@1", "test P@1"]].mean()
            for part, dash in {"train P@1": "solid", "test P@1": "dash"}.items():
                figure.add_scatter(
                    x=means.index,
                    y=means[part],
                    name=f"{setting}, {part.split()[0]}",
                    line={"color": color, "dash": dash},
                    showlegend=column == 1,
                    row=1,
                    col=column,
                )
        figure.update_xaxes(title="epoch", row=1, col=column)
    return figure.update_yaxes(title="P@1, per cent", col=1)
