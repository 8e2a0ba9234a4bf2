"""A daemon of one instance, kept by an overseer: `pooled.py KIND INSTANCE FILE-OF-TASKS`.

It works through the tasks of its kind, rests a little, and sleeps when nothing has come. Asked to
leave (INT), it ends the task it has taken: nobody else would take that up until its time is over.
"""

from __future__ import annotations

import signal
import sys
import time

from overseen import Overseen  # type: ignore[import-not-found]  # it lies beside us
from tasks import Tasks  # type: ignore[import-not-found]

WORK_S = 0.2
NAPS_S = {"pull": 3600.0, "trigger": 1800.0}
"""When the next repository is due, the next event; a taskmaster sleeps until there is a task."""


def main() -> None:
    """Until it may sleep."""
    kind, instance, file = sys.argv[1:]
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    overseer, tasks = Overseen(), Tasks(file)
    overseer.ready()
    while not asked:
        task = tasks.take(instance, kind)
        if task is not None:
            overseer.busy(str(task))
            time.sleep(WORK_S)
            tasks.done(task)
        elif overseer.idle_s() < overseer.down_after_s:
            overseer.idle()
            time.sleep(0.1)
        elif overseer.may_sleep(lambda: _has(tasks, instance, kind), NAPS_S.get(kind, 0.0)):
            return


def _has(tasks: Tasks, instance: str, kind: str) -> bool:
    return any(found[:2] == (instance, kind) for found in tasks.free())


if __name__ == "__main__":
    main()
