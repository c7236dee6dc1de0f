"""Chapter 06: random walks step by step, and the pairs that DeepWalk learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.ego_network import BY_STRENGTH, by_strength, ego_tables
from xmlwb.plots.walk_steps import WalkState, walk_figure, walk_states
from xmlwb.solvers.random_walks import random_walks
from xmlwb.widgets import StepFigure, step_figure


class WalkSteps:
    """Walks on the network of a label and its strongest neighbours, for `step_figure`.

    Parameters
    ----------
    graph : LabelGraph
        With names.
    max_nodes : int
        Nodes of the network; the walk stays among them.

    Attributes
    ----------
    nodes, edges : DataFrame
        Of the network of the last run, from `xmlwb.lessons.ego_network.ego_tables`.
    """

    def __init__(self, graph: LabelGraph, *, max_nodes: int = 20) -> None:
        self.graph, self._max_nodes = graph, max_nodes
        self._strength = by_strength(graph)
        self._node_of = {name: node for node, name in enumerate(graph.names or ())}

    def run(self, label: str, walk_length: int = 10, window: int = 2, random_state: int = 0) -> list[WalkState]:
        """All steps: the walk from the label, then the window over it.

        Parameters
        ----------
        label : str
            Where the walk starts.
        walk_length : int
            t, nodes of the walk, the first included.
        window : int
            w, places on each side of the centre.
        random_state : int
        """
        self.nodes, self.edges = ego_tables(
            self.graph, self._node_of[label], by=BY_STRENGTH, max_nodes=self._max_nodes, strength=self._strength
        )
        network = self.graph.subgraph(self.nodes["node"].to_numpy())
        walks = random_walks(network.adjacency, n_walks=1, walk_length=walk_length, random_state=random_state)
        (walk,) = walks[walks[:, 0] == 0]  # row 0 of the nodes is the label itself
        return walk_states(walk[walk >= 0], window)

    def draw(self, states: Sequence[WalkState], at: int) -> go.Figure:
        """The figure of one step."""
        return walk_figure(self.nodes, self.edges, states[at])


def walk_steps(ds: Dataset, labels: Sequence[str] | None = None, *, max_nodes: int = 20) -> StepFigure[WalkState]:
    """Buttons and a slider over the steps of a random walk, and of the window that slides over it.

    Parameters
    ----------
    ds : Dataset
    labels : sequence of str, optional
        Where walks can start; otherwise eight labels from the more frequent tenth.
    max_nodes : int
        Nodes of the network that is walked.

    Raises
    ------
    ValueError
        If there is no label of one of these names.
    """
    graph = LabelGraph.from_labels(ds.Y_train, names=ds.label_names)
    if labels is None:
        frequent = np.argsort(-graph.counts, kind="stable")[: max(8, ds.n_labels // 10)]
        tied = frequent[graph.degrees[frequent] > 0]
        labels = [ds.label_names[label] for label in tied[np.linspace(0, len(tied) - 1, 8).astype(int)]]
    for name in labels:
        if name not in ds.label_names:
            raise ValueError(f"labels holds {name!r}; wanted names of labels of {ds.name}")
    steps = WalkSteps(graph, max_nodes=max_nodes)
    return step_figure(
        steps.run,
        steps.draw,
        seed="random_state",
        label=list(dict.fromkeys(labels)),
        walk_length=(2, 15),
        window=(1, 5),
        labels={"label": "start", "walk_length": "walk length t", "window": "window w"},
        alt="A random walk on a label's network, the walk as a list, and the pairs of the window that slides over it",
    )
