"""The files of a Postgres server on this machine, replaced as a whole in the middle of a run."""

import shutil
from pathlib import Path

from doorbuster.stack.component import LocalComponent
from doorbuster.stack.postgres import PRIMARY, STANDBY, Cluster, base_backup, copy


class LocalFiles:
    """The `DatabaseFiles` of one node."""

    def __init__(
        self, cluster: Cluster, component: LocalComponent, *, replication_port: int
    ) -> None:
        self._cluster = cluster
        self._component = component
        self._replication_port = replication_port

    @property
    def _node(self) -> str:
        return self._component.name

    @property
    def _backup(self) -> Path:
        return self._cluster.home(self._node) / "backup"

    def follow(self) -> None:
        other = STANDBY if self._node == PRIMARY else PRIMARY
        self._lose()
        copy(self._cluster, self._node, of=other, replication_port=self._replication_port)
        self._start()

    def back_up(self) -> None:
        shutil.rmtree(self._backup, ignore_errors=True)
        base_backup(self._cluster, self._node, of=self._node, to=self._backup)

    def restore(self) -> None:
        self._lose()
        self._backup.rename(self._cluster.data(self._node))
        self._start()

    def _lose(self) -> None:
        self._component.kill()
        shutil.rmtree(self._cluster.data(self._node))

    def _start(self) -> None:
        self._component.start()
        self._component.wait_ready()
