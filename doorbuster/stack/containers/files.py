"""The files of a Postgres server in a container, replaced as a whole in the middle of a run."""

from typing import Final

from doorbuster.stack.containers.component import ContainerComponent
from doorbuster.stack.containers.database import BEFORE_SERVING, EMPTY, OWN, Cluster

BACKUP: Final = "/var/lib/postgresql/backup"
"""Beside the data, and like it gone with the container."""

BACK_UP: Final = f"""
rm -rf {BACKUP}
pg_basebackup -D {BACKUP} -X stream --checkpoint=fast --no-sync --no-manifest -d "$ITSELF"
"""
RESTORE: Final = f'{EMPTY}cp -a {BACKUP}/. "$PGDATA"\n{OWN}'


class ContainerFiles:
    """The `DatabaseFiles` of one node; `replication` is `host:port` of the proxy of that name."""

    def __init__(
        self, cluster: Cluster, component: ContainerComponent, *, replication: str
    ) -> None:
        self._cluster = cluster
        self._component = component
        self._replication = replication

    def follow(self) -> None:
        self._start_after(self._cluster.copy(self._component.name, replication=self._replication))

    def back_up(self) -> None:
        self._component.run(self._cluster.where(self._component.name, name="ITSELF") + BACK_UP)

    def restore(self) -> None:
        self._start_after(RESTORE)

    def _start_after(self, script: str) -> None:
        """End it, and have it do something on its way up: what has ended runs nothing."""
        self._component.kill()
        self._component.put(BEFORE_SERVING, script)
        self._component.restart()
