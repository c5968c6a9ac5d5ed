"""`docker-compose.yml` is sound as a file, comes up, sells, and goes away again."""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from doorbuster.stack.containers.images import Images
from doorbuster.stack.containers.parts import CONNECTIONS
from doorbuster.stack.ports import free_ports
from doorbuster.stack.ready import http_probe, wait_until_ready
from tests.containers.engine_here import CHECKOUT, names_with
from tests.containers.shopping import open_sale, pay, reserve, shows_replication

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

PORTS = ("SHOP", "TOXIPROXY", "PROVIDER", "POSTGRES_A", "POSTGRES_B", "REDIS", "PROMETHEUS")
UP_BOUND_S = 300


def services() -> dict[str, dict[str, Any]]:
    file = YAML(typ="safe").load((CHECKOUT / "docker-compose.yml").read_text())
    return dict(file["services"])


@pytest.mark.parametrize("name", services())
def test_ports_are_on_loopback_and_settable(name: str) -> None:
    for port in services()[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{DOORBUSTER_PORT_[A-Z_]+:-\d+\}:\d+", port)


@pytest.mark.parametrize("name", services())
def test_images_are_pinned_and_settable(name: str) -> None:
    image = services()[name]["image"]
    assert re.fullmatch(r"\$\{DOORBUSTER_IMAGE_[A-Z]+:-[a-z./]+:v?\d+\.\d+[.\d]*[-a-z]*\}", image)


def test_images_are_those_of_the_stack() -> None:
    named = {service["image"].partition(":-")[2].rstrip("}") for service in services().values()}
    assert {getattr(Images(), part.name) for part in fields(Images)} <= named


def compose_command() -> tuple[str, ...]:
    """Return the compose that is here, as a plug-in of `docker` or as a program of its own."""
    docker, alone = shutil.which("docker"), shutil.which("docker-compose")
    plug_in = (docker or "docker", "compose")
    if (
        docker
        and subprocess.run((*plug_in, "version"), capture_output=True, check=False).returncode == 0
    ):
        return plug_in
    if not alone:
        pytest.skip("neither `docker compose` nor `docker-compose` is here")
    return (alone,)


@pytest.fixture
def ports() -> dict[str, int]:
    return dict(zip(PORTS, free_ports(len(PORTS)), strict=True))


@pytest.fixture
def project(images: Images, ports: dict[str, int]) -> Iterator[str]:
    name = f"test{uuid.uuid4().hex[:8]}"
    settings = {f"DOORBUSTER_PORT_{port}": str(number) for port, number in ports.items()}
    environment = os.environ | settings
    compose = (*compose_command(), "--project-name", name)
    try:
        up = subprocess.run(
            (*compose, "up", "--detach", "--no-build"),
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=UP_BOUND_S,
        )
        assert up.returncode == 0, up.stdout[-3000:]
        yield name
    finally:
        down = (*compose, "down", "--volumes", "--timeout", "1")
        subprocess.run(down, cwd=CHECKOUT, env=environment, capture_output=True, check=True)
    assert names_with(name) == []


def test_it_comes_up_and_sells_through_its_proxies(
    project: str, ports: dict[str, int], tmp_path: Path
) -> None:
    proxies = httpx.get(f"http://127.0.0.1:{ports['TOXIPROXY']}/proxies", trust_env=False).json()
    assert set(proxies) == set(CONNECTIONS)
    shop_url = f"http://127.0.0.1:{ports['SHOP']}"
    with httpx.Client(base_url=shop_url, timeout=10, trust_env=False) as shop:
        ready = http_probe(f"127.0.0.1:{ports['SHOP']}", "/readyz")
        wait_until_ready(ready, what="the shop", log=tmp_path / "none", alive=lambda: True)
        open_sale(shop, ops_token="operator")
        answer = pay(shop, reserve(shop, "sold"))
        assert shows_replication(shop)
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
