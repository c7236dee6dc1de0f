"""The graph of a data set's labels: which labels share documents, or which label is a kind of which.

The co-occurrence graph holds one edge for each pair of labels that some document carries both of, as many as there are,
never an L x L array: time and memory follow the sum of the squared row lengths of Y. A given hierarchy makes a graph of
the same kind, so that all that is done with the one can be done with the other.
"""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from xmlwb.ranking import labels_csr

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, eq=False)
class LabelGraph:
    """Labels and what ties them together.

    The nodes 0..L-1 are the labels; a hierarchy's terms that are no label themselves follow.

    Parameters
    ----------
    adjacency : csr_array, shape (V, V), float32
        Symmetric, nothing on the diagonal, sorted indices, weights above 0.
    n_labels : int
        L <= V.
    names : tuple of str, length V, or None
    counts : ndarray, shape (V,), int64
        Documents that carry the node; 0 for terms that are no label.

    Raises
    ------
    ValueError
        The parts do not fit together, or `adjacency` is not what is said above.

    Examples
    --------
    >>> Y = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
    >>> graph = LabelGraph.from_labels(Y, names=["python", "library", "web", "games"])
    >>> graph.adjacency.toarray().astype(int)
    array([[0, 2, 1, 0],
           [2, 0, 1, 0],
           [1, 1, 0, 0],
           [0, 0, 0, 0]])
    >>> graph.degrees.tolist(), graph.counts.tolist(), graph.components().tolist()
    ([2, 2, 2, 0], [2, 2, 1, 1], [0, 0, 0, 1])
    """

    adjacency: sparse.csr_array
    n_labels: int
    names: tuple[str, ...] | None
    counts: np.ndarray

    def __post_init__(self) -> None:
        A = self.adjacency
        if not (sparse.issparse(A) and A.format == "csr" and A.ndim == 2 and A.shape[0] == A.shape[1]):
            shape = getattr(A, "shape", None)
            raise ValueError(f"adjacency: found {type(A).__name__} of shape {shape}; wanted a csr_array (V, V)")
        V = A.shape[0]
        if A.dtype != np.float32 or not A.has_canonical_format or A.diagonal().any() or not _positive(A.data):
            raise ValueError(
                "adjacency: wanted float32 weights above 0, sorted indices, nothing twice or on the diagonal"
            )
        mirrored = sparse.csr_array(A.T)
        if not all(np.array_equal(getattr(A, part), getattr(mirrored, part)) for part in ("indptr", "indices", "data")):
            raise ValueError("adjacency is not symmetric; wanted the edge from b to a beside that from a to b")
        if not 0 <= self.n_labels <= V:
            raise ValueError(f"n_labels is {self.n_labels}; wanted 0..{V}, the number of nodes")
        if self.names is not None and len(self.names) != V:
            raise ValueError(f"names has {len(self.names)} entries; wanted {V}, one a node")
        if np.shape(self.counts) != (V,):
            raise ValueError(f"counts has shape {np.shape(self.counts)}; wanted ({V},), one a node")

    @classmethod
    def from_labels(cls, Y: Any, *, weighted: bool = True, names: Sequence[str] | None = None) -> LabelGraph:
        """The co-occurrence graph: an edge where "two labels ever co-exist with each other in any sample".

        Parameters
        ----------
        Y : sparse or dense 0/1, shape (n, L)
        weighted : bool, default True
            An edge weighs the number of documents that carry both labels (exact up to 2^24 of them), else 1.
        names : sequence of str, length L, optional

        Raises
        ------
        ValueError
            Y is not 0/1 or not two-dimensional; `names` has another length than L.

        Notes
        -----
        Time and memory O(sum of the squared numbers of labels of a document): 0.2 s for the 580,000 edges of debdeps.
        The quotation is from Zhang et al., "Deep extreme multi-label learning", ICMR 2018, section 3.2, which does not
        say whether the edges are weighted.
        """
        Y = labels_csr(Y, "Y").astype(np.float32)
        L = Y.shape[1]
        names = _checked_names("names", names, L)
        shared = sparse.csr_array(Y.T) @ Y
        adjacency = _adjacency(shared.tocoo(), L, weighted=weighted)
        counts = np.bincount(Y.indices, minlength=L).astype(np.int64)
        return cls(adjacency, L, names, counts)

    @classmethod
    def from_parents(
        cls,
        label_names: Sequence[str],
        label_parents: Sequence[Iterable[str]],
        *,
        counts: np.ndarray | None = None,
    ) -> LabelGraph:
        """The graph of a given hierarchy: an edge of weight 1 between a term and each of its parents.

        Parameters
        ----------
        label_names : sequence of L different str
        label_parents : sequence of L tuples of str
            The names of each label's parents; () for a root. Parents that are no labels become nodes behind the
            labels, in the order in which they are met.
        counts : ndarray, shape (L,), int, optional
            Documents of each label; 0 if not given.

        Raises
        ------
        ValueError
            A name is there twice, the lengths differ, or parents are not tuples of names.

        Examples
        --------
        >>> graph = LabelGraph.from_parents(["ui::web", "ui::text", "ui"], [("ui",), ("ui",), ("facets",)])
        >>> graph.names, graph.n_labels, graph.shortest_path(0, 3)
        (('ui::web', 'ui::text', 'ui', 'facets'), 3, [0, 2, 3])
        """
        names = list(_checked_names("label_names", label_names, len(label_names)) or ())
        L = len(names)
        twice = [name for name, n in Counter(names).items() if n > 1]
        if twice:
            raise ValueError(f"label_names holds {twice[0]!r} more than once; wanted L different names")
        if len(label_parents) != L:
            raise ValueError(f"label_parents has {len(label_parents)} entries; wanted {L}, one a label")
        node_of = {name: node for node, name in enumerate(names)}
        children, parents = [], []
        for child, its_parents in enumerate(label_parents):
            names_of = tuple(its_parents) if isinstance(its_parents, Iterable) else (its_parents,)
            if isinstance(its_parents, str) or not all(isinstance(parent, str) for parent in names_of):
                raise ValueError(f"label_parents[{child}] is {its_parents!r}; wanted a tuple of names")
            for parent in names_of:
                if parent not in node_of:
                    node_of[parent] = len(names)
                    names.append(parent)
                children.append(child)
                parents.append(node_of[parent])
        V = len(names)
        both_ways = (np.ones(2 * len(children)), (children + parents, parents + children))
        adjacency = _adjacency(sparse.coo_array(both_ways, shape=(V, V)), V, weighted=False)
        documents = np.zeros(V, dtype=np.int64)
        if counts is not None:
            if np.shape(counts) != (L,):
                raise ValueError(f"counts has shape {np.shape(counts)}; wanted ({L},), one a label")
            documents[:L] = counts
        return cls(adjacency, L, tuple(names), documents)

    @property
    def degrees(self) -> np.ndarray:
        """Neighbours of each node, shape (V,), int64."""
        return np.diff(self.adjacency.indptr).astype(np.int64)

    def components(self) -> np.ndarray:
        """The connected component of each node, shape (V,), int64; 0 is the largest, ties by the lowest node."""
        return _by_size(csgraph.connected_components(self.adjacency, directed=False)[1])

    def communities(self, *, resolution: float = 1.0, random_state: int | None = 0) -> np.ndarray:
        """The community of each node, shape (V,), int64: Louvain's greedy search for the highest modularity.

        Parameters
        ----------
        resolution : float, default 1.0
            Above 1: more and smaller communities.
        random_state : int or None, default 0
            Seed of the order in which the nodes are looked at.

        Returns
        -------
        ndarray, shape (V,), int64
            0 is the largest community, ties by the lowest node. A node without edges is one of its own.

        Notes
        -----
        networkx's ``louvain_communities``, with the edges' weights; near to O(edges) for each of a few rounds.
        """
        from networkx.algorithms.community import louvain_communities

        if isinstance(resolution, bool) or not isinstance(resolution, numbers.Real) or not 0 < resolution < np.inf:
            raise ValueError(f"resolution is {resolution!r}; wanted a number above 0")
        tied = np.flatnonzero(self.degrees)
        community = np.arange(len(self.counts))
        if len(tied):
            found = louvain_communities(self.to_networkx(tied), resolution=resolution, seed=random_state)
            for members in found:
                community[list(members)] = min(members)
        return _by_size(community)

    def shortest_path(self, a: int, b: int) -> list[int]:
        """Nodes from a to b over as few edges as can be, both ends included; [] if no path leads there.

        Weights do not matter: they count shared documents and are no lengths. O(V + edges).
        """
        a, b = self._node("a", a), self._node("b", b)
        _, before = csgraph.breadth_first_order(self.adjacency, a, directed=True, return_predecessors=True)
        path = [b]
        while path[-1] != a:
            if before[path[-1]] < 0:
                return []
            path.append(int(before[path[-1]]))
        return path[::-1]

    def ego(self, node: int, *, radius: int = 1, max_nodes: int = 150) -> np.ndarray:
        """The nodes around one node, ring by ring, shape (m,), int64; m <= `max_nodes`, the node itself first.

        Within a ring those come first whose edges to the ring before weigh most (ties: the lower node), so that a cut
        keeps the strongest. O(V + edges of the rings) for each ring.
        """
        node = self._node("node", node)
        for name, value, low in (("radius", radius, 0), ("max_nodes", max_nodes, 1)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
                raise ValueError(f"{name} is {value!r}; wanted a whole number of at least {low}")
        ring = np.array([node])
        rings, unseen = [ring], np.ones(len(self.counts), dtype=bool)
        unseen[node] = False
        for _ in range(radius):
            edges = self.adjacency[ring]
            ties = np.bincount(edges.indices, weights=edges.data, minlength=len(unseen)) * unseen
            ring = np.argsort(-ties, kind="stable")[: np.count_nonzero(ties)]
            if len(ring) == 0 or sum(map(len, rings)) >= max_nodes:
                break
            unseen[ring] = False
            rings.append(ring)
        return np.concatenate(rings)[:max_nodes]

    def subgraph(self, nodes: Any) -> LabelGraph:
        """The graph of these nodes and the edges among them.

        Parameters
        ----------
        nodes : sequence of m different int
            They become 0..m-1, the labels first, else in their order.
        """
        nodes = self._nodes(nodes)
        nodes = nodes[np.argsort(nodes >= self.n_labels, kind="stable")]
        adjacency = sparse.csr_array(self.adjacency[nodes][:, nodes])
        adjacency.sort_indices()
        names = None if self.names is None else tuple(self.names[node] for node in nodes)
        return LabelGraph(adjacency, int(np.count_nonzero(nodes < self.n_labels)), names, self.counts[nodes])

    def to_networkx(self, nodes: Any = None) -> networkx.Graph:
        """As networkx graph, of these nodes only if any are given; a node keeps its number.

        Nodes have the attributes ``name`` (the number where there are no names) and ``count``, edges ``weight``.
        """
        import networkx as nx

        nodes = np.arange(len(self.counts)) if nodes is None else self._nodes(nodes)
        upper = sparse.triu(self.adjacency[nodes][:, nodes], format="coo")
        graph = nx.Graph()
        for node in nodes.tolist():
            name = str(node) if self.names is None else self.names[node]
            graph.add_node(node, name=name, count=int(self.counts[node]))
        ends = (nodes[end].tolist() for end in upper.coords)
        graph.add_weighted_edges_from(zip(*ends, upper.data.tolist(), strict=True))
        return graph

    def _node(self, name: str, node: Any) -> int:
        V = len(self.counts)
        if isinstance(node, bool) or not isinstance(node, numbers.Integral) or not 0 <= int(node) < V:
            raise ValueError(f"{name} is {node!r}; wanted a node, 0..{V - 1}")
        return int(node)

    def _nodes(self, nodes: Any) -> np.ndarray:
        V = len(self.counts)
        found = np.asarray(nodes)
        if found.size == 0 and found.ndim == 1:
            return np.zeros(0, dtype=np.int64)
        if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= V:
            raise ValueError(f"nodes: found {nodes!r}; wanted a sequence of nodes, 0..{V - 1}")
        if len(np.unique(found)) < len(found):
            raise ValueError("nodes holds a node more than once; wanted different ones")
        return found.astype(np.int64)


def _adjacency(entries: sparse.coo_array, V: int, *, weighted: bool) -> sparse.csr_array:
    """The off-diagonal entries of a symmetric matrix; unweighted: each of them 1, also one that is there twice."""
    apart = entries.row != entries.col
    weights = entries.data[apart].astype(np.float32)
    adjacency = sparse.csr_array((weights, (entries.row[apart], entries.col[apart])), shape=(V, V))
    adjacency.sum_duplicates()
    if not weighted:
        adjacency.data[:] = 1.0
    return adjacency


def _positive(weights: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(weights)) and np.all(weights > 0))


def _by_size(groups: np.ndarray) -> np.ndarray:
    """Groups renumbered: 0 the largest, ties by the lowest member."""
    _, first, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[group]


def _checked_names(argument: str, names: Sequence[str] | None, L: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or len(names) != L or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{argument}: found {names!r:.80}; wanted {L} names, one a label")
    return tuple(names)
