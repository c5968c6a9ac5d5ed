"""A component that is a container: killed, stopped and started again through the Docker engine."""

import io
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from docker.errors import APIError  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from doorbuster.errors import DoorbusterError
from doorbuster.stack.containers.engine import ENGINE_ERRORS, asked
from doorbuster.stack.containers.service import Place, Service, containers_for
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.ready import wait_until_ready

STOP_BOUND_S = 5.0
KILL_BOUND_S = 10.0
READY_BOUND_S = 60.0
HOG = "doorbuster-hog"
"""The name that busy shells in a container are given."""

# Whatever programs an image lacks, it has these; the brackets keep the pattern from itself.
END_HOG = """
for process in /proc/[0-9]*; do
  if grep -aqs 'doorbuster-ho[g]' "$process/cmdline"; then kill -9 "${process#/proc/}"; fi
done
"""
CONFLICT = 409
"""What the engine answers about the processes of a container that is not running."""


class ContainerComponent:
    """A service as a `Component`."""

    def __init__(self, service: Service, place: Place) -> None:
        self._service = service
        self._place = place
        self._made: list[DockerContainer] = []
        self._log = place.logs / f"{service.name}.log"
        self._copying: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self._service.name

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{next(iter(self._service.ports))}"

    @property
    def logs(self) -> Path:
        return self._log

    @property
    def network_address(self) -> str:
        """Return its IP address in the network of the run."""
        with asked(f"describe {self.name}"):
            self._wrapped.reload()
        (network,) = self._wrapped.attrs["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def start(self) -> None:
        """Start the container; `wait_ready` is apart, so that several can start at once."""
        with asked(f"start {self.name}"):
            for container in containers_for(self._service, self._place):
                self._made.append(container)
                container.start()
        self._copy_output()

    def wait_ready(self) -> None:
        wait_until_ready(
            self._service.ready,
            what=self.name,
            log=self.logs,
            alive=self.is_up,
            bound_s=READY_BOUND_S,
        )

    def pids(self) -> Sequence[int]:
        return list(self._states())

    def kill(self) -> None:
        with asked(f"kill {self.name}"):
            if self.is_up():
                self._wrapped.kill()
            self._wrapped.wait(timeout=KILL_BOUND_S)
        self._await_output()

    def pause(self) -> None:
        """Stop every process by signal.

        Not with the engine's own pause: processes that it has frozen look like busy ones, so
        nobody could see from outside that the fault acts.
        """
        self._signal_until("STOP", lambda state: state.startswith("T"))

    def resume(self) -> None:
        self._signal_until("CONT", lambda state: not state.startswith("T"))

    def end(self, grace_s: float) -> None:
        with asked(f"stop {self.name}"):
            self._wrapped.stop(timeout=max(round(grace_s), 1))
        self._await_output()

    def start_hog(self, *, cores: int, bound_s: float) -> None:
        busy = ["timeout", f"{bound_s:g}", "sh", "-c", "while :; do :; done", HOG]
        with asked(f"start a hog in {self.name}"):
            for _ in range(cores):
                self._wrapped.exec_run(busy, detach=True)

    def hogs(self) -> Sequence[int]:
        rows = self._processes("pid,args")
        return [int(pid) for pid, words in rows if words.startswith("sh ") and HOG in words]

    def end_hog(self) -> None:
        with asked(f"end the hog in {self.name}"):
            self._wrapped.exec_run(["sh", "-c", END_HOG])

    def run(self, script: str) -> None:
        """Run a script of bash in it, as long as that takes, and insist that it went well."""
        with asked(f"run a script in {self.name}"):
            done = self._wrapped.exec_run(["bash", "-euc", script])
        if done.exit_code != 0:
            said = done.output.decode(errors="replace").strip()
            raise DoorbusterError(f"a script in {self.name} failed ({done.exit_code}): {said}")

    def put(self, path: str, text: str) -> None:
        """Write a file into the container, which need not run."""
        content = text.encode()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))
        with asked(f"write {path} into {self.name}"):
            self._wrapped.put_archive("/", archive.getvalue())

    def restart(self) -> None:
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        self.kill()
        with asked(f"start {self.name} again"):
            self._wrapped.start()
        self._copy_output()

    def let_go(self) -> None:
        """Close what connects us to the container, once it has been removed."""
        self._await_output()
        for container in self._made:
            container.get_docker_client().client.close()

    @property
    def _wrapped(self) -> Any:
        return self._made[-1].get_wrapped_container()

    def is_up(self) -> bool:
        with asked(f"describe {self.name}"):
            self._wrapped.reload()
        return bool(self._wrapped.status == "running")

    def _states(self) -> dict[int, str]:
        """Return the state letters of its living processes by their ids on the engine's machine."""
        rows = self._processes("pid,stat")
        return {int(pid): state for pid, state in rows if not state.startswith("Z")}

    def _processes(self, columns: str) -> Sequence[tuple[str, str]]:
        try:
            rows = self._wrapped.top(ps_args=f"-eo {columns}")["Processes"]
        except APIError as error:
            if error.status_code == CONFLICT:
                return ()
            raise DoorbusterError(f"the processes of {self.name} are unknown: {error}") from error
        return [(row[0], row[1]) for row in rows or ()]

    def _signal_until(self, signal: str, arrived: Callable[[str], bool]) -> None:
        """Signal the first process and then all others, until the state of each shows it.

        A signal to -1 spares the first process of a container, and the engine reaches only that.
        """
        give_up_s = time.monotonic() + STOP_BOUND_S
        while not all(arrived(state) for state in self._states().values()):
            with asked(f"send SIG{signal} to {self.name}"):
                self._wrapped.kill(signal=f"SIG{signal}")
                self._wrapped.exec_run(["sh", "-c", f"kill -s {signal} -- -1"])
            if time.monotonic() > give_up_s:
                raise DoorbusterError(f"{self.name} does not obey SIG{signal}: {self._states()}")

    def _copy_output(self) -> None:
        self._copying = threading.Thread(
            target=copy_output, args=(self._wrapped, self._log), name=f"{self.name} log"
        )
        self._copying.daemon = True
        self._copying.start()

    def _await_output(self) -> None:
        """Wait until the end of the output, which comes with the end of the container."""
        if self._copying is not None:
            self._copying.join(KILL_BOUND_S)


def copy_output(container: Any, log: Path) -> None:
    """Write what the container has said and says until it ends; the engine keeps all of it."""
    try:
        with log.open("wb", buffering=0) as copy:
            for piece in container.logs(stream=True, follow=True):
                copy.write(piece)
    except ENGINE_ERRORS as error:
        with log.open("a") as copy:
            copy.write(f"\nthe rest of the output is lost: {error}\n")
