"""The bringing up of a containers stack, and its removal: one container per part, one network."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from testcontainers.core.network import Network

from doorbuster.components import DatabaseNode, Topology
from doorbuster.stack import postgres
from doorbuster.stack.containers import parts
from doorbuster.stack.containers.component import ContainerComponent
from doorbuster.stack.containers.database import Cluster
from doorbuster.stack.containers.engine import RUN_LABEL, asked, engine
from doorbuster.stack.containers.files import ContainerFiles
from doorbuster.stack.containers.images import Images
from doorbuster.stack.containers.left import remove_left_containers
from doorbuster.stack.containers.parts import CONNECTIONS, Connection
from doorbuster.stack.containers.service import Place, Service
from doorbuster.stack.order import StackOrder
from doorbuster.stack.ports import LOOPBACK, free_ports
from doorbuster.stack.postgres import PRIMARY, STANDBY
from doorbuster.stack.redis import REDIS, redis_url
from doorbuster.stack.shop import Secrets, built

REPLICATION = f"{parts.PROXY}:{CONNECTIONS['replication'].port}"

PROXIED = ("edge", PRIMARY, STANDBY)
"""The connections that are used from outside too: by shoppers, and to see the first write."""


@contextmanager
def containers(order: StackOrder, images: Images | None = None) -> Iterator[Topology]:
    """Bring the whole stack up and yield it when every part is ready.

    However the body ends, the run's containers, networks and volumes are gone when this returns;
    else it raises `LeftBehind`.
    """
    images = images or Images()
    with engine() as client:
        images.require(client, redis=order.redis)
    with ExitStack() as exits:
        yield Assembly(order, images, exits).bring_up()


class Assembly:
    """The bringing up of one stack: what has been started so far is what `exits` will end."""

    def __init__(self, order: StackOrder, images: Images, exits: ExitStack) -> None:
        self.order = order
        self.images = images
        self.exits = exits
        self.secrets = Secrets()
        self.components: list[ContainerComponent] = []
        self.replicas = [f"storefront-{number + 1}" for number in range(order.replicas)]
        listeners = (PRIMARY, STANDBY, "provider", "proxy", *self.replicas)
        listeners = (*listeners, REDIS) if order.redis else listeners
        ports = free_ports(len(listeners) + len(PROXIED))
        self.ports = dict(zip(listeners, ports, strict=False))
        self.proxied = dict(zip(PROXIED, ports[len(listeners) :], strict=True))
        exits.callback(end, order.run_id, self.components)
        self.connections: Mapping[str, Connection] = {
            name: connection
            for name, connection in CONNECTIONS.items()
            if order.redis or name != "redis"
        }
        self.place = Place(order.run_id, network_of(order.run_id), order.logs.resolve())

    def bring_up(self) -> Topology:
        """Start the parts in the order of their needs, the slow ones side by side."""
        images = self.images
        cluster = Cluster(images.postgres, ports=self.ports)
        primary = self.start(cluster.primary())
        proxy = self.start(
            parts.proxy(images.toxiproxy, api_port=self.ports["proxy"], ports=self.proxied)
        )
        provider = self.start_provider()
        redis = self.start_redis()
        self.open_connections(proxy)
        primary.wait_ready()
        postgres.create_shop_database(cluster)
        if redis is not None:
            redis.wait_ready()
        replicas = [self.start(service) for service in self.storefronts(cluster)]
        standby = self.start(cluster.standby(replication=REPLICATION))
        standby.wait_ready()
        synchronous = self.order.replication == "synchronous"
        postgres.begin_replication(cluster, standby, synchronous=synchronous)
        for component in (provider, *replicas):
            component.wait_ready()
        return self.topology(cluster, primary=primary, standby=standby)

    def start(self, service: Service) -> ContainerComponent:
        component = ContainerComponent(service, self.place)
        self.components.append(component)
        component.start()
        return component

    def start_provider(self) -> ContainerComponent:
        return self.start(
            parts.provider(
                self.images.shop,
                port=self.ports["provider"],
                webhook_secret=self.secrets.webhook,
            )
        )

    def start_redis(self) -> ContainerComponent | None:
        """Start Redis if the shop needs it."""
        if not self.order.redis:
            return None
        return self.start(
            parts.redis(
                self.images.redis,
                port=self.ports[REDIS],
                password=self.secrets.redis,
                snapshot_s=self.order.redis_snapshot_s,
            )
        )

    def redis_url(self, *, host: str, port: int) -> str:
        return redis_url(host=host, port=port, password=self.secrets.redis)

    def open_connections(self, proxy: ContainerComponent) -> None:
        """Make the proxies; they end with their container.

        They listen on the container's own address, not on every one. So the API tells an address
        at which one can see whether a proxy listens: what the engine puts before a published port
        accepts connections to a proxy that is shut as well.
        """
        proxy.wait_ready()
        address = proxy.network_address
        api = self.order.open_api(self.url(self.ports["proxy"]))
        self.exits.callback(api.close)
        for name, connection in self.connections.items():
            listen = f"{address}:{connection.port}"
            api.create(self.proxy_name(name), listen=listen, upstream=connection.upstream)

    def storefronts(self, cluster: Cluster) -> list[Service]:
        nodes = [
            cluster.shop_dsn(host=parts.PROXY, port=CONNECTIONS[node].port)
            for node in (PRIMARY, STANDBY)
        ]
        settings = {
            "STOREFRONT_DATABASES": ",".join(nodes),
            "STOREFRONT_PROVIDER_URL": CONNECTIONS["payments"].url,
            "STOREFRONT_OPS_TOKEN": self.secrets.ops_token,
            "STOREFRONT_WEBHOOK_SECRET": self.secrets.webhook,
            **built(self.order),
        }
        if self.order.redis:
            proxied = self.redis_url(host=parts.PROXY, port=CONNECTIONS["redis"].port)
            settings["STOREFRONT_REDIS_URL"] = proxied
        image = self.images.shop
        return [
            parts.storefront(image, name=name, port=self.ports[name], settings=settings)
            for name in self.replicas
        ]

    def topology(
        self, cluster: Cluster, *, primary: ContainerComponent, standby: ContainerComponent
    ) -> Topology:
        nodes = [
            DatabaseNode(
                component=component,
                direct_dsn=cluster.dsn(component.name),
                proxied_dsn=cluster.shop_dsn(host=LOOPBACK, port=self.proxied[component.name]),
                proxy=self.proxy_name(component.name),
                upstream=CONNECTIONS[component.name].upstream,
                files=ContainerFiles(cluster, component, replication=REPLICATION),
            )
            for component in (primary, standby)
        ]
        return Topology(
            run_id=self.order.run_id,
            components={component.name: component for component in self.components},
            database=nodes,
            proxies=self.proxies_by_plan_word(),
            proxy_api=self.url(self.ports["proxy"]),
            shop_url=self.url(self.proxied["edge"]),
            shop_direct_url=self.url(self.ports[self.replicas[0]]),
            provider_direct_url=self.url(self.ports["provider"]),
            ops_token=self.secrets.ops_token,
            synchronous=self.order.replication == "synchronous",
            redis_direct_url=self.redis_url(host=LOOPBACK, port=self.ports[REDIS])
            if self.order.redis
            else None,
        )

    def url(self, port: int) -> str:
        return f"http://{LOOPBACK}:{port}"

    def proxy_name(self, connection: str) -> str:
        return f"doorbuster-{self.order.run_id}-{connection}"

    def proxies_by_plan_word(self) -> Mapping[str, Sequence[str]]:
        """Return the proxies by the plan's word: `postgres` means those of both nodes."""
        words = [name for name in self.connections if name not in (PRIMARY, STANDBY)]
        single = {word: [self.proxy_name(word)] for word in words}
        return {**single, "postgres": [self.proxy_name(PRIMARY), self.proxy_name(STANDBY)]}


def network_of(run_id: str) -> Network:
    network = Network(docker_network_kw={"labels": {RUN_LABEL: run_id}})
    network.name = f"doorbuster-{run_id}"
    with asked(f"make network {network.name}"):
        return network.create()


def end(run_id: str, components: Sequence[ContainerComponent]) -> None:
    try:
        remove_left_containers(run_id)
    finally:
        for component in components:
            component.let_go()
