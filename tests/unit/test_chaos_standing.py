"""What has fallen over without a fault is told, and what a fault has given up is not."""

from dataclasses import dataclass, field

from chaos.standing import fallen
from tests.chaos_fakes import FakeApi, FakeComponent, FakeJournal, hands


@dataclass
class Running(FakeComponent):
    """A component with processes."""

    alive: list[int] = field(default_factory=lambda: [1])

    def pids(self) -> list[int]:
        return self.alive


def test_what_ended_by_itself_is_told_with_its_log() -> None:
    redis, provider = Running("redis-server"), Running("provider")
    old_primary = Running("postgres-a", alive=[])
    own = hands(FakeApi(), FakeJournal(), redis, provider, old_primary)
    own.given_up.add("postgres-a")
    assert fallen(own) == []
    redis.alive = []
    assert fallen(own) == [
        "redis-server ended by itself, by no fault of the plan; its last words are in component.log"
    ]
