"""Gets the tests an engine and images: those that are here, or those a setup command makes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from doorbuster.stack.containers.engine import engine
from doorbuster.stack.containers.images import Images, is_here

SETUP_VARIABLE = "DOORBUSTER_ENGINE_SETUP"
"""A command that starts an engine and prints the `export` lines to reach it with."""

CHECKOUT = Path(__file__).parents[2]
STAND_INS = Images(
    postgres="doorbuster-local/postgres:15",
    toxiproxy="doorbuster-local/toxiproxy",
    redis="doorbuster-local/redis:7",
    shop="doorbuster-local/doorbuster:tests",
)
STAND_IN_BASE = "doorbuster-local/python:3.11"
SETUP_BOUND_S = 900


def settings_of_engine() -> dict[str, str]:
    """Return what the environment needs for an engine to answer; skip where there is none."""
    if engine_answers():
        return {}
    setup = os.environ.get(SETUP_VARIABLE)
    if not setup:
        pytest.skip(f"no Docker engine answers, and {SETUP_VARIABLE} names no command to start one")
    evaluated = subprocess.run(
        ["bash", "-c", 'settings=$("$0") && eval "$settings" && env -0', setup],
        stdout=subprocess.PIPE,
        check=False,
        timeout=SETUP_BOUND_S,
    )
    if evaluated.returncode != 0:
        pytest.skip(f"no Docker engine answers, and {setup} could not start one")
    pairs = (line.partition("=") for line in evaluated.stdout.decode().split("\0") if line)
    return {name: value for name, _, value in pairs if os.environ.get(name) != value}


def engine_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run((docker, "info"), capture_output=True, check=False).returncode == 0


def images_here() -> Images:
    """Return images that are here, building the shop's own; skip where the others are not."""
    named = Images.from_environment(os.environ)
    build_stand_ins = build_stand_ins_command()
    if not has_others(named) and named == Images() and build_stand_ins is not None:
        run(build_stand_ins)
        named = STAND_INS
    if not has_others(named):
        pytest.skip(f"no images {others_of(named)} at the Docker engine here")
    if "DOORBUSTER_IMAGE_SHOP" not in os.environ:
        build_shop(named.shop, stand_in_base=named is STAND_INS)
    return named


def has_others(images: Images) -> bool:
    with engine() as client:
        return all(is_here(client, image) for image in others_of(images))


def others_of(images: Images) -> tuple[str, ...]:
    """Return the images that are not our own."""
    return (images.postgres, images.toxiproxy, images.redis)


def build_stand_ins_command() -> str | None:
    """Return the command beside the engine's setup that makes images without a registry."""
    setup = os.environ.get(SETUP_VARIABLE)
    return shutil.which(str(Path(setup).with_name("build-images"))) if setup else None


def build_shop(image: str, *, stand_in_base: bool) -> None:
    base = ["--network=host", f"--build-arg=BASE_IMAGE={STAND_IN_BASE}"] if stand_in_base else []
    run("docker", "build", *base, "--tag", image, str(CHECKOUT))


def run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=SETUP_BOUND_S,
    )
    assert done.returncode == 0, f"{command}: {done.stdout.decode()[-3000:]}"


def as_environment(images: Images) -> dict[str, str]:
    return {
        "DOORBUSTER_IMAGE_POSTGRES": images.postgres,
        "DOORBUSTER_IMAGE_TOXIPROXY": images.toxiproxy,
        "DOORBUSTER_IMAGE_REDIS": images.redis,
        "DOORBUSTER_IMAGE_SHOP": images.shop,
    }


def names_with(run_id: str) -> list[str]:
    """Return every container, network and volume at the engine whose name holds the run's id."""
    with engine() as client:
        # The list as it is: asking for the details of a container that goes meanwhile fails.
        listed = client.api.containers(all=True)
        others = [*client.networks.list(), *client.volumes.list()]
    names = [name.lstrip("/") for container in listed for name in container["Names"]]
    return [name for name in [*names, *(other.name for other in others)] if run_id in name]
