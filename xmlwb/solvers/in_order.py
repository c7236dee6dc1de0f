"""Work shared out among threads, its results in order, with an end that is an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from joblib import effective_n_jobs

T = TypeVar("T")

#: Tasks that are begun before the first of them has been asked for, for each thread: long ones hold up no other.
_AHEAD = 8


def in_order(work: Callable[..., T], tasks: Iterable[tuple[Any, ...]], *, n_jobs: int | None = None) -> Generator[T]:
    """``work(*task)`` for each task, in their order, computed in threads.

    Closing the generator, as `contextlib.closing` does when a fit is stopped or interrupted, waits for the tasks that
    are under way and begins no other. (joblib goes on with what it has dispatched, and warns of
    results that nobody took.)

    Examples
    --------
    >>> list(in_order(pow, [(2, 3), (3, 2)], n_jobs=2))
    [8, 9]
    """
    n_threads = effective_n_jobs(n_jobs)
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, *task))
                if len(waiting) > _AHEAD * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
