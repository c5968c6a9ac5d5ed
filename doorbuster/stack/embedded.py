"""The embedded stack: every part a process on this machine, every connection through the proxy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from doorbuster.components import DatabaseNode, Topology
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack import postgres, redis, shop
from doorbuster.stack.binaries import postgres_programs
from doorbuster.stack.component import LocalComponent, end_all
from doorbuster.stack.files import LocalFiles
from doorbuster.stack.order import StackOrder
from doorbuster.stack.place import postgres_account, temporary_place
from doorbuster.stack.ports import LOOPBACK, free_ports, held, raise_file_limit, require_loopback
from doorbuster.stack.postgres import PRIMARY, STANDBY, Cluster
from doorbuster.stack.process import Place
from doorbuster.stack.proxies import Connection, OwnProxy, ProxyApi, SharedProxy
from doorbuster.stack.proxy_process import proxy_process
from doorbuster.stack.ready import http_probe
from doorbuster.stack.redis import REDIS, redis_url
from doorbuster.stack.shop import ShopCommands

LISTENERS = ("proxy", "storefront", "provider", PRIMARY, STANDBY)
UPSTREAM_OF = {
    "edge": "storefront",
    "payments": "provider",
    "webhooks": "storefront",
    "replication": PRIMARY,
    PRIMARY: PRIMARY,
    STANDBY: STANDBY,
}
"""Which listener lies behind each connection that crosses the proxy."""

REDIS_UPSTREAM = {"redis": REDIS}
"""The same of a shop that needs Redis."""


@contextmanager
def embedded(
    order: StackOrder, proxy: OwnProxy | SharedProxy, commands: ShopCommands | None = None
) -> Iterator[Topology]:
    """Bring the whole stack up and yield it when every part is ready.

    However the body ends, everything is ended in reverse, and the run's processes, folder and
    shared memory are gone when this returns; else it raises `LeftBehind`.
    """
    raise_file_limit()
    require_loopback()
    with temporary_place(order.run_id, logs=order.logs) as place, ExitStack() as exits:
        yield Assembly(order, proxy, commands or ShopCommands(), place, exits).bring_up()


class Assembly:
    """The bringing up of one stack: what has been started so far is what `exits` will end."""

    def __init__(
        self,
        order: StackOrder,
        proxy: OwnProxy | SharedProxy,
        commands: ShopCommands,
        place: Place,
        exits: ExitStack,
    ) -> None:
        self.order = order
        self.proxy = proxy
        self.commands = commands
        self.place = place
        self.exits = exits
        self.secrets = shop.Secrets()
        self.infrastructure: list[LocalComponent] = []
        self.shop: list[LocalComponent] = []
        listeners = (*LISTENERS, REDIS) if order.redis else LISTENERS
        upstream_of = UPSTREAM_OF | REDIS_UPSTREAM if order.redis else UPSTREAM_OF
        ports = free_ports(len(listeners) + len(upstream_of))
        self.ports = dict(zip(listeners, ports, strict=False))
        self.connections = {
            name: Connection(
                name,
                listen_port=port,
                upstream_port=self.ports[listener],
                host=order.edge_host if name == "edge" else LOOPBACK,
            )
            for (name, listener), port in zip(
                upstream_of.items(), ports[len(listeners) :], strict=True
            )
        }
        # The shop ends first, else its log fills with complaints about a database that has gone.
        exits.callback(end_all, self.infrastructure)
        exits.callback(end_all, self.shop)
        exits.enter_context(held(self.ports["storefront"]))

    def bring_up(self) -> Topology:
        """Start the parts in the order of their needs, the slow ones side by side.

        The standby follows through the `replication` proxy, so the proxy comes before it; the
        storefront makes its tables as soon as the primary is up, while the standby is copied.
        """
        proxy = self.start_proxy()
        provider = self.start_provider()
        redis_server = self.start_redis()
        cluster = self.new_cluster()
        primary = self.start(postgres.create_primary(cluster), self.infrastructure)
        self.open_connections(proxy)
        primary.wait_ready()
        postgres.create_shop_database(cluster)
        if redis_server is not None:
            redis_server.wait_ready()
        replicas = self.start_storefront(cluster)
        standby = self.start(
            postgres.create_standby(cluster, replication_port=self.port_of("replication")),
            self.infrastructure,
        )
        standby.wait_ready()
        synchronous = self.order.replication == "synchronous"
        postgres.begin_replication(cluster, standby, synchronous=synchronous)
        for component in (provider, *replicas):
            component.wait_ready()
        return self.topology(cluster, primary=primary, standby=standby)

    def start(self, component: LocalComponent, group: list[LocalComponent]) -> LocalComponent:
        group.append(component)
        component.start()
        return component

    def port_of(self, connection: str) -> int:
        return self.connections[connection].listen_port

    @property
    def proxy_url(self) -> str:
        if isinstance(self.proxy, SharedProxy):
            return self.proxy.url
        return f"http://{LOOPBACK}:{self.ports['proxy']}"

    def start_proxy(self) -> LocalComponent | None:
        """Start our own proxy, or make sure that the shared one answers."""
        if isinstance(self.proxy, SharedProxy):
            version = http_probe(urlsplit(self.proxy_url).netloc, "/version")
            if objection := version():
                raise MissingPrerequisite(f"no Toxiproxy at {self.proxy.url}: {objection}")
            return None
        return self.start(
            proxy_process(self.proxy, self.place, port=self.ports["proxy"]), self.infrastructure
        )

    def start_provider(self) -> LocalComponent:
        return self.start(
            shop.provider(
                self.place,
                self.commands.provider,
                port=self.ports["provider"],
                webhooks_port=self.port_of("webhooks"),
                webhook_secret=self.secrets.webhook,
            ),
            self.shop,
        )

    def start_redis(self) -> LocalComponent | None:
        """Start Redis if the shop needs it."""
        if not self.order.redis:
            return None
        return self.start(
            redis.server(
                self.place,
                port=self.ports[REDIS],
                password=self.secrets.redis,
                snapshot_s=self.order.redis_snapshot_s,
            ),
            self.infrastructure,
        )

    def redis_url(self, port: int) -> str:
        return redis_url(port=port, password=self.secrets.redis)

    def new_cluster(self) -> Cluster:
        account = postgres_account(self.place)
        programs = postgres_programs(self.place, account=account)
        return Cluster(self.place, programs=programs, account=account, ports=self.ports)

    def open_connections(self, proxy: LocalComponent | None) -> None:
        """Make the proxies; those on a proxy of our own end with its process."""
        if proxy is not None:
            proxy.wait_ready()
        api: ProxyApi = self.order.open_api(self.proxy_url)
        self.exits.callback(api.close)
        for connection in self.connections.values():
            name = self.proxy_name(connection.name)
            api.create(name, listen=connection.listen, upstream=connection.upstream)
            if proxy is None:
                self.exits.callback(api.delete, name)

    def start_storefront(self, cluster: Cluster) -> list[LocalComponent]:
        settings = self.storefront_settings(cluster)
        return [
            self.start(
                shop.storefront(
                    self.place,
                    self.commands.storefront,
                    replica=replica,
                    port=self.ports["storefront"],
                    settings=settings,
                ),
                self.shop,
            )
            for replica in range(1, self.order.replicas + 1)
        ]

    def storefront_settings(self, cluster: Cluster) -> Mapping[str, str]:
        nodes = [cluster.shop_dsn(proxy_port=self.port_of(node)) for node in (PRIMARY, STANDBY)]
        settings = {
            "STOREFRONT_DATABASES": ",".join(nodes),
            "STOREFRONT_PROVIDER_URL": f"http://{LOOPBACK}:{self.port_of('payments')}",
            "STOREFRONT_OPS_TOKEN": self.secrets.ops_token,
            "STOREFRONT_WEBHOOK_SECRET": self.secrets.webhook,
            **shop.built(self.order),
        }
        if self.order.redis:
            settings["STOREFRONT_REDIS_URL"] = self.redis_url(self.port_of("redis"))
        return settings

    def topology(
        self, cluster: Cluster, *, primary: LocalComponent, standby: LocalComponent
    ) -> Topology:
        nodes = [
            DatabaseNode(
                component=component,
                direct_dsn=cluster.dsn(component.name),
                proxied_dsn=cluster.shop_dsn(proxy_port=self.port_of(component.name)),
                proxy=self.proxy_name(component.name),
                upstream=component.address,
                files=LocalFiles(cluster, component, replication_port=self.port_of("replication")),
            )
            for component in (primary, standby)
        ]
        return Topology(
            run_id=self.order.run_id,
            components={
                component.name: component for component in (*self.infrastructure, *self.shop)
            },
            database=nodes,
            proxies=self.proxies_by_plan_word(),
            proxy_api=self.proxy_url,
            shop_url=f"http://{self.connections['edge'].listen}",
            shop_direct_url=f"http://{LOOPBACK}:{self.ports['storefront']}",
            provider_direct_url=f"http://{LOOPBACK}:{self.ports['provider']}",
            ops_token=self.secrets.ops_token,
            synchronous=self.order.replication == "synchronous",
            redis_direct_url=self.redis_url(self.ports[REDIS]) if self.order.redis else None,
        )

    def proxy_name(self, connection: str) -> str:
        return self.connections[connection].proxy_name(self.order.run_id)

    def proxies_by_plan_word(self) -> Mapping[str, Sequence[str]]:
        """Return the proxies by the plan's word: `postgres` means those of both nodes."""
        words = [name for name in self.connections if name not in (PRIMARY, STANDBY)]
        single = {word: [self.proxy_name(word)] for word in words}
        return {**single, "postgres": [self.proxy_name(PRIMARY), self.proxy_name(STANDBY)]}
