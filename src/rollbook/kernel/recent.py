"""What was made lately, kept for the threads of one process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Values last asked for, up to `most` of them, or up to that weight where `weigh` says what one weighs.

    The newest always stays. Two threads that miss at once both make the value; the later one is kept. None is not kept:
    what is not there yet is asked for again.
    """

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda value: 1) -> None:
        self.most, self.weigh = most, weigh
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made when it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        if made is None:
            return made
        with self._lock:
            if key in self._kept:
                self._weight -= self.weigh(self._kept.pop(key))
            self._kept[key] = made
            self._weight += self.weigh(made)
            while self._weight > self.most and len(self._kept) > 1:
                self._weight -= self.weigh(self._kept.popitem(last=False)[1])
        return made
