"""What is missing is said in one sentence: the engine, an image. The first needs no engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.toxiproxy import ToxiproxyApi
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.containers import containers
from doorbuster.stack.containers.images import Images
from doorbuster.stack.order import StackOrder
from doorbuster.stack.ports import free_ports
from tests.containers.engine_here import names_with

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]


def bring_up(logs: Path, images: Images, *, redis: bool = False) -> None:
    order = StackOrder("test-missing", logs, ToxiproxyApi, redis=redis)
    with containers(order, images):
        pytest.fail("it came up")


def test_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
    with pytest.raises(MissingPrerequisite, match=r"no Docker engine answers .*DOCKER_HOST"):
        bring_up(tmp_path, Images())


def test_no_image_of_the_shop(images: Images, tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisite, match="docker build -t doorbuster:never-built"):
        bring_up(tmp_path, replace(images, shop="doorbuster:never-built"))
    assert names_with("test-missing") == []


def test_no_image_to_be_pulled(images: Images, tmp_path: Path) -> None:
    nowhere = "127.0.0.1:1/postgres:none"
    with pytest.raises(MissingPrerequisite, match="name another one in DOORBUSTER_IMAGE_POSTGRES"):
        bring_up(tmp_path, replace(images, postgres=nowhere))
    assert names_with("test-missing") == []


def test_no_image_of_redis_for_a_shop_that_needs_it(images: Images, tmp_path: Path) -> None:
    nowhere = replace(images, redis="127.0.0.1:1/redis:none")
    with pytest.raises(MissingPrerequisite, match="name another one in DOORBUSTER_IMAGE_REDIS"):
        bring_up(tmp_path, nowhere, redis=True)
    assert names_with("test-missing") == []


def test_images_are_settable_by_name() -> None:
    given = {"DOORBUSTER_IMAGE_POSTGRES": "mine:1", "DOORBUSTER_IMAGE_REDIS": "mine:2"}
    given["DOORBUSTER_IMAGE_SHOP"] = ""
    assert Images.from_environment(given) == Images(postgres="mine:1", redis="mine:2")
