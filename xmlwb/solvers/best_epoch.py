"""Early stopping: the best epoch's weights are kept, and training ends when no better one comes."""

from __future__ import annotations

import torch


class BestEpoch(torch.nn.Module):
    """Remembers a network's state after its best epoch so far; a part of a checkpoint like the network itself.

    Parameters
    ----------
    net : torch.nn.Module
    patience : int or None
        Epochs without a better score after which `is_over`; None: never, and nothing is remembered.

    Examples
    --------
    >>> net = torch.nn.Linear(1, 1)
    >>> best = BestEpoch(net, patience=2)
    >>> for score, weight in ((0.5, 1.0), (0.7, 2.0), (0.6, 3.0), (0.7, 4.0)):
    ...     _ = torch.nn.init.constant_(net.weight, weight)
    ...     best.see(net, score)
    >>> best.is_over
    True
    >>> best.restore(net)
    >>> net.weight.item()
    2.0
    """

    def __init__(self, net: torch.nn.Module, patience: int | None) -> None:
        super().__init__()
        self.patience = patience
        self.score: torch.Tensor
        self.waited: torch.Tensor
        self.register_buffer("score", torch.tensor([-torch.inf], dtype=torch.float64))
        self.register_buffer("waited", torch.tensor([0]))
        self._names = dict(enumerate(net.state_dict())) if patience is not None else {}
        for number, name in self._names.items():
            self.register_buffer(f"kept_{number}", net.state_dict()[name].detach().clone())

    @property
    def is_over(self) -> bool:
        return self.patience is not None and int(self.waited) >= self.patience

    def see(self, net: torch.nn.Module, score: float) -> None:
        """The network's score after one more epoch."""
        if self.patience is None:
            return
        if score > float(self.score):
            self.score.fill_(score)
            self.waited.zero_()
            state = net.state_dict()
            for number, name in self._names.items():
                getattr(self, f"kept_{number}").copy_(state[name])
        else:
            self.waited += 1

    def restore(self, net: torch.nn.Module) -> None:
        """Give the network the best epoch's state."""
        net.load_state_dict({name: getattr(self, f"kept_{number}") for number, name in self._names.items()})
