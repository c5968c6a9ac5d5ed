"""The images of the stack: pinned by version, settable by name, there before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from doorbuster import __version__
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.containers.engine import ENGINE_ERRORS, NotFound

PREFIX = "DOORBUSTER_IMAGE_"


@dataclass(frozen=True)
class Images:
    """Which image each part runs; `shop` is the one of our own Dockerfile."""

    postgres: str = "postgres:15.13-bookworm"
    toxiproxy: str = "ghcr.io/shopify/toxiproxy:2.12.0"
    redis: str = "redis:7.2.7-bookworm"
    shop: str = f"doorbuster:{__version__}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Take the names that `DOORBUSTER_IMAGE_POSTGRES`, `_REDIS` and so on give."""
        parts = ("postgres", "toxiproxy", "redis", "shop")
        given = {part: environ.get(f"{PREFIX}{part.upper()}") for part in parts}
        return cls(**{part: image for part, image in given.items() if image})

    def require(self, engine: Any, *, redis: bool = False) -> None:
        """Insist on all images that are needed; those that a registry has are pulled."""
        require_pulled(engine, self.postgres, variable=f"{PREFIX}POSTGRES")
        require_pulled(engine, self.toxiproxy, variable=f"{PREFIX}TOXIPROXY")
        if redis:
            require_pulled(engine, self.redis, variable=f"{PREFIX}REDIS")
        if not is_here(engine, self.shop):
            raise MissingPrerequisite(
                f"no image {self.shop} here: build it with `docker build -t {self.shop} .` "
                f"in a checkout, or name another one in {PREFIX}SHOP"
            )


def require_pulled(engine: Any, image: str, *, variable: str) -> None:
    if is_here(engine, image):
        return
    try:
        engine.images.pull(image)
    except ENGINE_ERRORS as error:
        raise MissingPrerequisite(
            f"no image {image} here and none to be had ({error}): "
            f"pull or build it, or name another one in {variable}"
        ) from None


def is_here(engine: Any, image: str) -> bool:
    try:
        engine.images.get(image)
    except NotFound:
        return False
    return True
