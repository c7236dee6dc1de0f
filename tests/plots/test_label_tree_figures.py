from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.label_cascade import beam_figure, cascade_figure, survival_figure
from xmlwb.plots.label_partition import boundary_angles, partition_figure, stacked
from xmlwb.plots.label_tree import facet_agreement_figure, label_tree_figure


def nodes() -> pd.DataFrame:
    """Root 0 with inner nodes 1 (labels 10, 11, 12, 13) and 2 (label 20 and 21, without positives)."""
    table = pd.DataFrame(
        {
            "node": [0, 1, 2, 3, 4, 5, 6, 7, 8],
            "parent": [-1, 0, 0, 1, 1, 1, 1, 2, 2],
            "depth": [0, 1, 1, 2, 2, 2, 2, 2, 2],
            "label": [-1, -1, -1, 10, 11, 12, 13, 20, 21],
            "name": [
                "all labels",
                "chess, go",
                "mail",
                "game::a<b",
                "game::b",
                "use::c",
                "use::d",
                "mail::e",
                "mail::f",
            ],
            "strongest": ["s"] * 9,
            "labels": [6, 4, 2, 1, 1, 1, 1, 1, 1],
            "positives": [220, 120, 100, 50, 40, 20, 10, 100, 0],
            "typical": [30.0, 30.0, 50.0, 50.0, 40.0, 20.0, 10.0, 100.0, 0.0],
            "facet": ["game", "game", "mail", "game", "game", "use", "use", "mail", "mail"],
            "purity": [1 / 3, 0.5, 1.0, 1, 1, 1, 1, 1, 1],
        }
    )
    return table.set_index("node")


@pytest.mark.parametrize("kind", ["sunburst", "treemap"])
@pytest.mark.parametrize("labels_a_node", [1, 2, 3, 10])
def test_each_sector_is_the_sum_of_its_own(kind: str, labels_a_node: int) -> None:
    (trace,) = label_tree_figure(nodes(), kind=kind, labels_a_node=labels_a_node).data
    assert trace.type == kind
    size = dict(zip(trace.ids, trace.values, strict=True))
    for above in set(trace.parents) - {""}:
        assert size[above] == sum(v for v, parent in zip(trace.values, trace.parents, strict=True) if parent == above)
    assert len(set(trace.ids)) == len(trace.ids)
    assert set(trace.parents) - {""} <= set(trace.ids)
    assert "8" not in trace.ids  # without positives


def test_the_most_frequent_labels_are_drawn_and_the_rest_is_counted() -> None:
    (trace,) = label_tree_figure(nodes(), labels_a_node=2).data
    named = dict(zip(trace.ids, trace.labels, strict=True))
    assert {"3", "4"} < set(named)
    assert not {"5", "6"} & set(named)
    assert named["1 more"] == "2 more labels"
    assert dict(zip(trace.ids, trace.values, strict=True))["1 more"] == 30
    (trace,) = label_tree_figure(nodes(), labels_a_node=3).data
    assert "6" in trace.ids  # a single one left over is drawn itself


def test_colours_say_what_they_are_said_to() -> None:
    (trace,) = label_tree_figure(nodes()).data
    of = dict(zip(trace.ids, trace.marker.colors, strict=True))
    assert 10 ** of["1"] == pytest.approx(30, rel=0.02)
    assert 10 ** of["7"] == pytest.approx(100, rel=0.02)
    assert trace.marker.cmax == 2
    (trace,) = label_tree_figure(nodes(), colour="purity").data
    of = dict(zip(trace.ids, trace.marker.colors, strict=True))
    assert (of["0"], of["1"], of["2"], of["3"]) == (33, 50, 100, 0)
    figure = label_tree_figure(nodes(), colour="facet")
    of = dict(zip(figure.data[0].ids, figure.data[0].marker.colors, strict=True))
    legend = {trace.name: trace.marker.color for trace in figure.data[1:]}
    assert of["3"] == of["4"] == legend["game"]
    assert of["5"] == legend["use"]
    pale = [int(of["1"][i : i + 2], 16) for i in (1, 3, 5)]
    half = [(0xF2 + int(legend["game"][i : i + 2], 16)) / 2 for i in (1, 3, 5)]
    assert pale == pytest.approx(half, abs=1)
    with pytest.raises(ValueError, match="wanted 'frequency'"):
        label_tree_figure(nodes(), colour="shape")


def test_texts_are_escaped_and_words_stand_below_each_other() -> None:
    (trace,) = label_tree_figure(nodes()).data
    shown = dict(zip(trace.ids, trace.labels, strict=True))
    assert shown["3"] == "game::<br>a&lt;b"
    assert shown["1"] == "chess<br>go"
    hover = dict(zip(trace.ids, trace.hovertext, strict=True))
    assert "4 labels" in hover["1"]
    assert "120 training positives, 30 of the median label" in hover["1"]
    (trace,) = label_tree_figure(nodes(), kind="treemap").data
    assert dict(zip(trace.ids, trace.labels, strict=True))["1"] == "chess, go"


def test_the_rim_of_the_first_view_names_a_label() -> None:
    (trace,) = label_tree_figure(nodes().assign(strongest="use::<c>, use::d"), maxdepth=2).data
    shown = dict(zip(trace.ids, trace.labels, strict=True))
    assert shown["1"] == "chess<br><i>use::<br>&lt;c&gt;</i>"
    assert shown["0"] == "all labels"


def test_a_tree_of_twenty_thousand_labels_stays_light() -> None:
    n, m = 256, 80
    inner = pd.DataFrame({"parent": [-1] + [0] * n, "depth": [0] + [1] * n, "label": -1, "name": "three long words",
                          "strongest": "libsomething-dev, " * 4, "labels": [n * m] + [m] * n,
                          "positives": [n * m * 9] + [m * 9] * n})  # fmt: skip
    leaves = pd.DataFrame({"parent": np.repeat(np.arange(1, n + 1), m), "depth": 2, "label": np.arange(n * m),
                           "name": "libsomething-long-dev", "strongest": "libsomething-long-dev", "labels": 1,
                           "positives": 9})  # fmt: skip
    table = pd.concat([inner, leaves], ignore_index=True).assign(facet="", purity=np.nan, typical=9.0)
    assert len(label_tree_figure(table).to_json()) < 1_000_000


def test_agreement_bars_are_percentages() -> None:
    table = pd.DataFrame({"depth": [0, 1], "nodes": [1, 2], "purity": [0.25, 0.5], "by chance": [0.25, 0.3]})
    tree, chance = facet_agreement_figure(table).data
    assert list(tree.y) == [25, 50]
    assert list(chance.y) == [25, 30]
    assert tree.x[1] == "1<br>2 nodes"


def partition(at: int = 2, cut: float = 0.5, side: tuple[int, ...] = (0, 0, 1)):
    V = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    return partition_figure(
        V, V[[0, 2]], np.array(side), np.array([False, True, False]), names=["a", "b", "c"],
        objective=[np.nan, 0.5, 0.4, 0.7], phases=[(0, "start"), (1, "assign"), (1, "balance"), (1, "move")],
        at=at, cut=cut, title="t",
    )  # fmt: skip


def test_the_sides_part_where_the_difference_of_the_cosines_is_the_cut() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        directions = rng.normal(size=(2, 2))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        cut = rng.uniform(-0.5, 0.5) * np.linalg.norm(directions[0] - directions[1])
        ends = np.array([[np.cos(a), np.sin(a)] for a in boundary_angles(directions, cut)])
        assert ends @ (directions[0] - directions[1]) == pytest.approx([cut, cut])


def test_more_directions_part_half_way() -> None:
    angles = np.array([0.1, 2.0, -2.5, 1.0])
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    for a in boundary_angles(directions):
        cosines = np.sort(directions @ [np.cos(a), np.sin(a)])
        assert cosines[-1] == pytest.approx(cosines[-2])
    assert len(boundary_angles(directions)) == 4
    assert len(boundary_angles(np.vstack([directions, [0, 0]]))) == 4  # an empty side has no direction


def test_stacks_grow_outwards_and_keep_their_angles() -> None:
    V = np.array([[1.0, 0.01]] * 5 + [[0.0, 1.0]])
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    places = stacked(V)
    lengths = np.linalg.norm(places, axis=1)
    assert places / lengths[:, None] == pytest.approx(V)
    assert (np.diff(lengths[:5]) > 0).all()
    assert lengths[5] == pytest.approx(lengths[0])
    assert lengths[0] > 1


def test_the_partition_shows_sides_who_moves_and_the_objective_so_far() -> None:
    figure = partition()
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["side 1: 2 labels"].marker.line.width) == [0, 3]
    assert "changes sides now" in traces
    assert "equal cosines" in traces
    objective = next(trace for trace in figure.data if trace.xaxis == "x2")
    assert list(objective.x) == [1, 2]
    assert list(objective.y) == [0.5, 0.4]
    assert objective.text[-1].strip() == "balance"
    assert figure.layout.yaxis2.range[1] > 0.7  # the axis waits for the steps to come
    assert partition(at=3).layout.yaxis2.range == figure.layout.yaxis2.range
    names = [trace.name for trace in partition(at=0, cut=0.0, side=(-1, -1, -1)).data]
    assert "no side yet" in names
    assert "equal cosines" not in names


def cascade() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        {"beam": beam, "bin": bin_, "labels": 10, "level": level, "alive": share}
        for beam, factor in (("1", 0.5), ("all", 1.0))
        for bin_ in ("all labels", "tail")
        for level, share in enumerate((1.0, factor, factor / 2))
    ]
    study = pd.DataFrame({"beam": ["1", "all"], "recall": [0.4, 1.0], "P@1": [0.6, 0.7], "P@3": [0.3, 0.5],
                          "ms": [0.1, 2.0]})  # fmt: skip
    return pd.DataFrame(rows), study


def test_survival_goes_down_the_levels_to_the_first_k() -> None:
    survival, _ = cascade()
    figure = survival_figure(survival, 1, k=3)
    tail = next(trace for trace in figure.data if trace.name == "true labels: tail")
    assert list(tail.y) == [100, 50, 25]
    assert figure.layout.xaxis.ticktext == ("root", "1", "first 3")
    with pytest.raises(ValueError, match="beam is 7; wanted one of 1, all"):
        survival_figure(survival, 7)


def test_the_beam_is_marked_and_told() -> None:
    survival, study = cascade()
    figure = beam_figure(study, "all")
    assert "recall 100.0 %" in figure.layout.title.text
    assert "P@1 70.0 %, P@3 50.0 %" in figure.layout.title.text
    assert [shape.x0 for shape in figure.layout.shapes] == [1, 1]
    with pytest.raises(ValueError, match="beam is 9"):
        beam_figure(study, 9)
    both = cascade_figure(survival, study, 1)
    by_name = {trace.name: trace for trace in both.data}
    assert list(by_name["beam recall"].y) == [40, 100]
    assert list(by_name["time"].y) == [0.1, 2.0]
    assert list(by_name["true labels: all"].y) == [100, 50, 25]
    looks = [(trace.line.color, trace.line.dash) for trace in both.data]
    assert len(set(looks)) == len(looks)
    assert both.layout.legend.yref == "container"  # below the axis titles from the first drawing on
