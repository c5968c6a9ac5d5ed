"""Which proxy server a rehearsal drives."""

import sys

import pytest

from chaos.server import Choice, choose_proxy
from doorbuster.errors import MissingPrerequisite

URL = {"TOXIPROXY_URL": "http://127.0.0.1:8474"}
INSTALLED = "/opt/bin/toxiproxy-server"


def found(program: str) -> str:
    assert program == "toxiproxy-server"
    return INSTALLED


def absent(program: str) -> None:
    return None


@pytest.mark.parametrize(
    ("choice", "environ", "installed", "kind"),
    [
        ("auto", URL, True, "external"),
        ("auto", {}, True, "toxiproxy"),
        ("auto", {"TOXIPROXY_URL": ""}, True, "toxiproxy"),
        ("auto", {}, False, "embedded"),
        ("toxiproxy", URL, False, "external"),
        ("toxiproxy", {}, True, "toxiproxy"),
        ("embedded", URL, True, "embedded"),
    ],
)
def test_choice(choice: Choice, environ: dict[str, str], installed: bool, kind: str) -> None:
    chosen = choose_proxy(choice, environ=environ, which=found if installed else absent)
    assert chosen.kind == kind


def test_toxiproxy_that_is_nowhere_is_missing() -> None:
    with pytest.raises(MissingPrerequisite, match="install Toxiproxy"):
        choose_proxy("toxiproxy", environ={}, which=absent)


def test_command_makes_the_api_listen_there() -> None:
    real = choose_proxy("toxiproxy", environ={}, which=found)
    ours = choose_proxy("embedded", environ={}, which=found)
    flags = ["-host", "127.0.0.1", "-port", "7"]
    assert real.command(host="127.0.0.1", port=7) == [INSTALLED, *flags]
    assert ours.command(host="127.0.0.1", port=7) == [sys.executable, "-m", "chaos.proxy", *flags]


def test_description_names_the_server() -> None:
    external = choose_proxy("auto", environ=URL, which=found)
    assert external.url == URL["TOXIPROXY_URL"]
    assert external.described("git") == "Toxiproxy git at http://127.0.0.1:8474"
    real = choose_proxy("auto", environ={}, which=found)
    assert real.described("2.12.0") == "toxiproxy-server 2.12.0"
    ours = choose_proxy("embedded", environ={}, which=found)
    assert ours.described("2.12.0+x") == "embedded 2.12.0+x"
