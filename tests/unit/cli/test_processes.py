"""Commands as processes: how they begin, and how they end when they are told to."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stunnergw.examples import example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALL = "import sys; from stunnergw.cli import main; main(sys.argv[1:])"
QUIET = ("--inspection-address=0", "--health-probe-bind-address=0", "--metrics-bind-address=0")
LIMIT = 20
UDP = str(example("today/one-udp-gateway"))


@contextlib.contextmanager
def started(*arguments: str, end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[str]]:
    """A process that must end well, with exit code 0 and without a traceback, when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
        process.send_signal(end)
        _, told = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in told
    assert process.returncode == 0, told


def ready_port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    found = re.search(r"config-discovery-address=127\.0\.0\.1:(\d+)", process.stdout.readline())
    assert found
    return int(found[1])


def run(
    folder: str, *more: str, end: signal.Signals = signal.SIGTERM
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return started("run", "--manifests", folder, "--config-discovery-address=127.0.0.1:0", *QUIET, *more, end=end)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_run_prints_its_table_and_ends_clean(end: signal.Signals) -> None:
    with run(UDP, end=end) as process:
        ready_port(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Gateway")
        assert process.stdout.readline().startswith("stunner/udp-gateway  Programmed")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_poll_keeps_a_file_and_ends_clean(end: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "stunnerd.conf"
    with run(UDP) as server:
        url = f"http://127.0.0.1:{ready_port(server)}/config"
        with started("poll", url, "-o", str(file), "--log-format=json", end=end) as process:
            assert process.stderr is not None
            assert '"event":"document written"' in process.stderr.readline()
            assert b'"version":"v1"' in file.read_bytes()
        assert subprocess.run([sys.executable, "-c", CALL, "poll", url, "-o", str(file), "--once"], check=True)


def test_leader_elect_is_ignored_with_a_line() -> None:
    with run(UDP, "--leader-elect=true") as process:
        assert process.stderr is not None
        assert "--leader-elect means nothing without a cluster" in process.stderr.readline()
        ready_port(process)


def test_nothing_of_the_cluster_client_is_loaded_by_any_command(tmp_path: Path) -> None:
    """It costs 0.4 s and 63 MiB."""
    code = (
        "import sys; from stunnergw.cli.commands import run_command\n"
        "import stunnergw.cli.running, stunnergw.cli.polling\n"
        f"assert run_command(['render', '-f', {UDP!r}, '--output=configs']) == 0\n"
        f"assert run_command(['validate', '-f', {UDP!r}]) == 0\n"
        f"assert run_command(['poll', 'http://127.0.0.1:1/config', '-o', {str(tmp_path / 'f')!r}, '--once']) == 3\n"
        "assert run_command(['crds']) == 0\n"
        "assert run_command(['demo']) == 0\n"
        "assert 'kubernetes_asyncio' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_output_in_a_narrow_encoding_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "ü.yaml").write_text("{apiVersion: v1, kind: Gäteway}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CALL, "validate", "-f", str(tmp_path)],
        check=False, capture_output=True, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
