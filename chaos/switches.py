"""Which proxies are shut, and for whose sake: two faults may want the same one shut."""

from typing import Protocol


class SwitchApi(Protocol):
    """What shuts and opens a proxy."""

    def enable(self, name: str) -> None:
        """Let it listen again."""

    def disable(self, name: str) -> None:
        """Close its port and its connections."""


class Switches:
    """Opens a proxy only when nobody wants it shut any more.

    Without this, the end of a `down` on the database would open the proxy of an old primary that
    a failover has fenced meanwhile, and the harness itself would split the brain.
    """

    def __init__(self) -> None:
        self._wanted_by: dict[str, set[str]] = {}

    def shut(self, api: SwitchApi, proxy: str, *, by: str) -> None:
        """Shut `proxy` for the sake of `by`, also when it is shut already."""
        self._wanted_by.setdefault(proxy, set()).add(by)
        api.disable(proxy)

    def open(self, api: SwitchApi, proxy: str, *, by: str) -> None:
        """Open `proxy` as far as `by` is concerned."""
        others = self._wanted_by.get(proxy, set()) - {by}
        if not others:
            api.enable(proxy)
        self._wanted_by[proxy] = others

    def forget(self, proxy: str, *, by: str) -> None:
        """Take it that `proxy` is open as far as `by` is concerned."""
        self._wanted_by[proxy] = self._wanted_by.get(proxy, set()) - {by}

    def is_wanted(self, proxy: str, *, by: str) -> bool:
        """Say whether `by` wants `proxy` shut."""
        return by in self._wanted_by.get(proxy, set())

    def is_shut(self, proxy: str) -> bool:
        return bool(self._wanted_by.get(proxy))
