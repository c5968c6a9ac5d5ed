"""A stack that does not come up says why, and leaves nothing at the engine."""

import uuid
from pathlib import Path

import pytest

from chaos.toxiproxy import ToxiproxyApi
from doorbuster.errors import TargetNotReady
from doorbuster.stack.containers import containers
from doorbuster.stack.containers.images import Images
from doorbuster.stack.order import StackOrder
from tests.containers.engine_here import names_with

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]


def test_a_storefront_that_ends_is_named_with_its_last_words(
    images: Images, tmp_path: Path
) -> None:
    run_id = f"test{uuid.uuid4().hex[:8]}"
    order = StackOrder(run_id, tmp_path, ToxiproxyApi, reservation="by_hope")
    with (
        pytest.raises(TargetNotReady, match=r"(?s)storefront-1 ended .*RESERVATION.*'by_hope'"),
        containers(order, images),
    ):
        pytest.fail("it came up")
    assert names_with(run_id) == []
