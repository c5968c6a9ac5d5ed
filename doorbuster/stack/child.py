"""Become another program that dies with the process that started it.

Run as a script (`python -I -S child.py PARENT UID GID COMMAND…`, `-` for an account to keep). The
director has threads, where a `preexec_fn` may deadlock; this small step between costs 30 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(*, parent_pid: int, account: tuple[int, int] | None, command: list[str]) -> None:
    """Replace this process by `command`, unless the parent has gone already.

    The order matters: the kernel forgets the death signal when credentials change, and a parent
    that died before the signal was set can only be noticed afterwards. The path in `command` is
    absolute, since another user may not be able to read the module that would search for it.
    """
    if account is not None:
        drop_to(*account)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the process that started this one has gone")
    restore_signals()
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def drop_to(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def restore_signals() -> None:
    """Undo what Python ignores, and what was ignored or blocked before: all of it survives an exec.

    A shell ignores SIGINT and SIGQUIT in what it starts in the background.
    """
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def main(arguments: list[str]) -> None:
    parent_pid, uid, gid, *command = arguments
    account = None if uid == "-" else (int(uid), int(gid))
    become(parent_pid=int(parent_pid), account=account, command=command)


if __name__ == "__main__":
    main(sys.argv[1:])
