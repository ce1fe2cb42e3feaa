"""Programs of others that tests run: each in a process group of its own, which ends with the tests, however they end.

A fixture stops what it started. Should it not come to that, leaving the interpreter does (``atexit``), and should even
that not happen (``kill -9``, a time-out that leaves at once), a guard that waits for us to be gone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_POLL = 0.02


class Process:
    """One program: started, watched until it is ready, stopped, and started again. What it says goes to a file."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = tuple(command)
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; it has to be running."""
        assert self._running is not None, f"{self.name} is not running"
        return self._running.pid

    def start(self, *, ready: Callable[[], bool], deadline: float = 60.0) -> float:
        """Start it, and return when ``ready`` says so: the seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.stop, kill=True)
        # The guard's input is a pipe that ends when this process does: then the group is killed.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -s KILL -- "-$1"', "sh", str(self._running.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._await(ready, until=began + deadline)
        except BaseException:
            self.stop(kill=True)
            raise
        return time.monotonic() - began

    def send(self, number: signal.Signals) -> None:
        """Send it a signal: ``SIGSTOP`` makes it hang, ``SIGCONT`` ends that."""
        os.killpg(self.pid, number)

    def stop(self, *, kill: bool = False, patience: float = 5.0) -> None:
        """End it, if it runs: politely at first unless ``kill`` is set, and by force after ``patience`` seconds."""
        atexit.unregister(self.stop)
        if self._running is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if not kill:
                os.killpg(self._running.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._running.wait(patience)
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()
        self._running = None
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def _await(self, ready: Callable[[], bool], *, until: float) -> None:
        assert self._running is not None
        while not ready():
            if (code := self._running.poll()) is not None:
                raise AssertionError(f"{self.name} ended with {code}:\n{self._last_words()}")
            if time.monotonic() > until:
                raise AssertionError(f"{self.name} did not become ready:\n{self._last_words()}")
            time.sleep(_POLL)  # nothing tells when a program of others is ready

    def _last_words(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-4000:]


def free_ports(number: int) -> list[int]:
    """Return loopback ports that nobody has, of those that the kernel gives to nobody who does not ask for them.

    A client that tries in vain to reach a server that is down might otherwise be given that server's port for its own
    end, connect to itself, and keep the server from coming back.
    """
    given_out_from = int(_EPHEMERAL.read_text("ascii").split()[0]) if _EPHEMERAL.exists() else 49152
    candidates = random.sample(range(10000, max(given_out_from, 20000)), 100)
    free = [port for port in candidates if _is_free(port)]
    return free[:number]


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
