"""One pass through the tasks of a Locust user, whose own loop would go on for ever."""

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from locust import MarkovTaskSet, SequentialTaskSet, TaskSet
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.task import DefaultTaskSet

_STOPS: Final = (StopUser, StopTest)
_AGAIN: Final = (RescheduleTask, RescheduleTaskImmediately)
"""How a task says that it is over."""


class Pass:
    """What one arrival does: `on_start`, a task or a set of them, `on_stop`.

    Of a `TaskSet` it is one task, as it is of the user; of a `SequentialTaskSet` each task once,
    with the wait time between them; a set inside of a set is one of its tasks. `interrupt()` ends
    the set that it is called in. A task that raises something else is counted and, as in Locust,
    the ones after it are gone on with.
    """

    def __init__(
        self, user: Any, choices: random.Random, *, failed: Callable[[Exception], None]
    ) -> None:
        self._user = user
        self._choices = choices
        self._failed = failed

    def go(self) -> None:
        user = self._user
        whole: Any = DefaultTaskSet(user)
        user._taskset_instance = whole  # noqa: SLF001  # its `wait` is what `user.wait()` calls
        try:
            self._survives(lambda: self._within(user, lambda: self._do(user, self._one_of(user))))
        except _STOPS:
            pass
        finally:
            user._taskset_instance = None  # noqa: SLF001  # it refers to the user

    def _within(self, whose: Any, act: Callable[[], None]) -> None:
        """Do something between a user's or a set's `on_start` and its `on_stop`."""
        try:
            whose.on_start()
            act()
        finally:
            self._survives(whose.on_stop)

    def _do(self, whose: Any, task: Any) -> None:
        """Do one task of a user or a set; if it is a set itself, go through that."""
        if _is_set(task):
            inner = task(whose)
            with suppress(InterruptTaskSet):
                self._within(inner, lambda: self._go_through(inner))
        elif isinstance(whose, TaskSet):
            whose.execute_task(task)  # type: ignore[no-untyped-call]
        else:
            task(whose)

    def _go_through(self, tasks: Any) -> None:
        if not isinstance(tasks, SequentialTaskSet):
            self._survives(lambda: self._do(tasks, self._one_of(tasks)))
            return
        for number in range(len(tasks.tasks)):
            if number:
                tasks.wait()  # type: ignore[no-untyped-call]
            task = tasks.get_next_task()  # type: ignore[no-untyped-call]
            if not self._survives(lambda task=task: self._do(tasks, task)):  # type: ignore[misc]
                return

    def _one_of(self, tasks: Any) -> Any:
        """Return the task that the seed chooses, or a set that has its own way of choosing."""
        own = getattr(type(tasks), "get_next_task", TaskSet.get_next_task)
        if own is TaskSet.get_next_task:
            return self._choices.choice(tasks.tasks)
        return tasks.get_next_task()

    def _survives(self, act: Callable[[], None]) -> bool:
        """Do something, and return whether the set it belongs to goes on."""
        try:
            act()
        except InterruptTaskSet:
            return False
        except _STOPS:
            raise
        except _AGAIN:
            return True
        except Exception as error:  # noqa: BLE001  # a user's code may raise anything
            self._failed(error)
        return True


def endless(tasks: Iterable[Any]) -> str | None:
    """Return the name of a set among `tasks`, or in one, that has neither an end nor one task."""
    for task in tasks:
        if not _is_set(task):
            continue
        if issubclass(task, MarkovTaskSet):
            return str(task.__name__)
        if (inner := endless(task.tasks)) is not None:
            return inner
    return None


def _is_set(task: Any) -> bool:
    return isinstance(task, type) and issubclass(task, TaskSet)
