"""In which order LightDXML's label encoder, shortlists and classifier take turns."""

from __future__ import annotations


def n_epochs_total(n_epochs: int, n_label_epochs: int, rebuild_every: int, *, cycle: bool = True) -> int:
    r"""How many epochs a fit has: :math:`e_{model} + e_{label} (\lfloor e_{model} / \hat e_{label} \rfloor + 1)`.

    The label encoder learns for n_label_epochs once before the classifier's first epoch, and again after every
    rebuild_every epochs of the classifier's, the last one too; without the cycle only before the first.

    >>> n_epochs_total(16, 8, 8), n_epochs_total(21, 6, 9), n_epochs_total(16, 8, 8, cycle=False)
    (40, 39, 24)
    """
    steps = phases(n_epochs, n_label_epochs, rebuild_every, cycle=cycle)
    return len(steps) - steps.count("shortlist")


def phases(n_epochs: int, n_label_epochs: int, rebuild_every: int, *, cycle: bool = True) -> list[str]:
    """The steps of a fit: an epoch of the "label" encoder, a new "shortlist", an epoch of the "classifier".

    >>> phases(2, 1, 2)
    ['label', 'shortlist', 'classifier', 'classifier', 'label', 'shortlist']
    """
    rebuild = ["label"] * n_label_epochs + ["shortlist"]
    steps = list(rebuild)
    for epoch in range(1, n_epochs + 1):
        steps += ["classifier", *rebuild] if cycle and epoch % rebuild_every == 0 else ["classifier"]
    return steps
