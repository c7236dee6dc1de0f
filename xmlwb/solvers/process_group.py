"""Training shared among the processes that torchrun started; one process alone is the case of a single rank."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from inspect import signature
from typing import Any


@dataclass(frozen=True)
class Ranks:
    """This process's number among those that train together, and how many they are."""

    rank: int = 0
    size: int = 1

    def own(self, n: int) -> slice:
        """This process's share of n instances: neighbours, as many as the others', or one more or less.

        >>> [Ranks(rank, 3).own(8) for rank in range(3)]
        [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
        """
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def add_up(self, tensor: Any) -> Any:
        """The sum over the processes, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(tensor)
        return tensor

    def as_rank_0(self, answer: bool) -> bool:
        """What the first process answered."""
        if self.size == 1:
            return answer
        from torch import distributed

        answers = [answer]
        distributed.broadcast_object_list(answers, src=0)
        return answers[0]


def ranks(device: str) -> tuple[Ranks, str]:
    """This process's rank and the name of its device: the group that is there, or that torchrun wants, or one process.

    device is "auto" or a device's name. A process of a group gets the GPU of its local rank where there are GPUs,
    unless device says otherwise; processes speak by NCCL between GPUs, else by gloo.
    """
    from torch import cuda, distributed

    own = distributed.is_available() and "TORCHELASTIC_RUN_ID" in os.environ and not distributed.is_initialized()
    if not distributed.is_available() or not (own or distributed.is_initialized()):
        return Ranks(), device
    if device in ("auto", "cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda.is_available() else "cpu"
    if own:
        # for the rest of the process: a second group by the same name might meet what the first one left in its store
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(distributed.destroy_process_group)
    if device.startswith("cuda"):
        cuda.set_device(device)
    return Ranks(distributed.get_rank(), distributed.get_world_size()), device


def share_gradients(net: Any) -> Any:
    """The network in DistributedDataParallel, its buffers left as they are: each process changes them alike."""
    from torch.nn.parallel import DistributedDataParallel

    known = signature(DistributedDataParallel).parameters
    sync = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # its older name
    options: dict[str, Any] = {sync: False}
    return DistributedDataParallel(net, **options)
