"""Two Postgres containers: a primary and its streaming standby."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from doorbuster.stack.containers.service import Service
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.postgres import PRIMARY, SHOP, STANDBY, SUPERUSER, objection

POSTGRES_PORT = 5432

SETTINGS = {
    "hba_file": "/etc/pg_hba.conf",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "wal_keep_size": "256MB",
    # A standby that lost its connection is back within a moment of the connection's healing.
    "wal_retrieve_retry_interval": "200ms",
    # The end of a container can be lost with its network; then only silence tells it.
    "wal_receiver_timeout": "5s",
    # A killed process loses nothing without fsync; what a commit waits for in the standby stays.
    "fsync": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
}

# The images' own rules let nobody in for replication.
RULES = """
printf '%s\\n' 'local all all trust' 'host all all all scram-sha-256' \
  'host replication all all scram-sha-256' >/etc/pg_hba.conf
"""
SERVE = 'exec docker-entrypoint.sh postgres "$@"\n'

BEFORE_SERVING = "/before-serving.sh"
"""What a server does on its way up, once, if there is such a script."""

ONCE = f"""
if [ -f {BEFORE_SERVING} ]; then
  . {BEFORE_SERVING}
  rm {BEFORE_SERVING}
fi
"""
EMPTY = """
mkdir -p "$PGDATA"
find "$PGDATA" -mindepth 1 -delete
"""
OWN = """
chown -R postgres "$PGDATA"
chmod 700 "$PGDATA"
"""

# The copy goes past the proxy, and its own way is what -R noted; the last line wins.
COPY = f"""
pg_basebackup -D "$PGDATA" -R -X stream --checkpoint=fast --no-sync --no-manifest -d "$COPY_FROM"
echo "primary_conninfo = '$FOLLOW'" >>"$PGDATA/postgresql.auto.conf"
{OWN}
"""


@dataclass(frozen=True)
class Cluster:
    """What both servers have in common, and where they are reached on loopback."""

    image: str
    ports: Mapping[str, int]
    superuser_password: str = field(default_factory=lambda: secrets.token_hex(16))
    shop_password: str = field(default_factory=lambda: secrets.token_hex(16))

    def dsn(self, node: str, *, database: str = SHOP) -> str:
        """Return how the harness reaches a node: past the proxy, as superuser."""
        login = f"{SUPERUSER}:{self.superuser_password}"
        return f"postgresql://{login}@{LOOPBACK}:{self.ports[node]}/{database}"

    def shop_dsn(self, *, host: str, port: int) -> str:
        """Return how a node is reached through its proxy, as the owner of the shop's database."""
        return f"postgresql://{SHOP}:{self.shop_password}@{host}:{port}/{SHOP}"

    def primary(self) -> Service:
        return self._server(PRIMARY, first="")

    def standby(self, *, replication: str) -> Service:
        """Return the standby, which begins as a copy of the primary and follows it by the proxy.

        Args:
            replication: `host:port` of the `replication` proxy.
        """
        copy = self.copy(STANDBY, replication=replication)
        return self._server(STANDBY, first=f'if [ ! -s "$PGDATA/PG_VERSION" ]; then\n{copy}\nfi\n')

    def copy(self, node: str, *, replication: str) -> str:
        """Return what makes `node` a copy of the other one, which it is to follow by the proxy."""
        host, _, port = replication.rpartition(":")
        follow = (
            f"host={host} port={port} user={SUPERUSER} password={self.superuser_password} "
            f"application_name={node}"
        )
        other = STANDBY if node == PRIMARY else PRIMARY
        return f"{self.where(other, name='COPY_FROM')}FOLLOW='{follow}'\n{EMPTY}{COPY}"

    def where(self, node: str, *, name: str) -> str:
        """Return what sets a variable to where a node is, past the proxy, in the run's network."""
        return f"{name}='host={node} port={POSTGRES_PORT} user={SUPERUSER}'\n"

    def _server(self, node: str, *, first: str) -> Service:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return Service(
            name=node,
            image=self.image,
            ports={self.ports[node]: POSTGRES_PORT},
            ready=partial(objection, self.dsn(node, database=SUPERUSER), "SELECT true"),
            environment={
                "POSTGRES_USER": SUPERUSER,
                "POSTGRES_PASSWORD": self.superuser_password,
                "POSTGRES_INITDB_ARGS": "--no-sync",
                "PGPASSWORD": self.superuser_password,
                "PGDATA": "/var/lib/postgresql/data",
            },
            entrypoint=("bash", "-euc", first + ONCE + RULES + SERVE, "bash"),
            words=tuple(settings),
            keeps_address=True,
        )
