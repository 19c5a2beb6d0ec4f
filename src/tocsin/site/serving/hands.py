"""Threads of which the one that worked last works next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Task = Callable[[], Callable[[], None]]
"""What is done, and gives how that is told."""


class Hands:
    """A few threads; called by the loop alone, and never with more tasks at once than there are threads.

    A pool gives work to the thread that has waited longest. Here it goes to the one that waited least: a thread has its
    own connection to the database, with what it read and prepared lately, and what others write makes it read anew.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._most = threads
        self._name = name
        self._threads: list[SimpleQueue[Task | None]] = []
        self._idle: list[SimpleQueue[Task | None]] = []
        """The last one worked last. Threads put themselves back, the loop takes: a list is safe for both."""
        self._is_ended = False

    def do(self, task: Task) -> None:
        """Have it done at once. Nothing is done any more after the end."""
        if self._is_ended:
            return
        try:
            tasks = self._idle.pop()
        except IndexError:
            tasks = self._begun()
        tasks.put(task)

    def _begun(self) -> SimpleQueue[Task | None]:
        tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads.append(tasks)
        name = f"{self._name}_{len(self._threads) - 1}"
        threading.Thread(target=self._work, args=(tasks,), name=name, daemon=True).start()
        return tasks

    def _work(self, tasks: SimpleQueue[Task | None]) -> None:
        while (task := tasks.get()) is not None:
            tell = task()
            # Before it is told: that wakes the loop, whose next task would find none but another thread.
            self._idle.append(tasks)
            tell()
            del task, tell  # What they hold is not kept until the next one.

    def end(self) -> None:
        """No more is begun; threads end with what they are at."""
        self._is_ended = True
        for each in self._threads:
            each.put(None)
