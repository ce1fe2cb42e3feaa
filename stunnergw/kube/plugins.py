"""Plug-ins of a kubeconfig that give out credentials (client.authentication.k8s.io): programs that we start and read.

They have no terminal to ask anything of. What they say on standard error is not passed on: it could hold a secret. A
plug-in that is not done in time is killed, with what it has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.errors import Unreachable, UsageError
from stunnergw.kube.tokens import Fetched

if TYPE_CHECKING:
    from collections.abc import Mapping

WITHIN = 60.0
"""Seconds that a plug-in may take."""

EARLY = 60.0
"""Seconds before its end that a token is renewed."""

_INFO = "KUBERNETES_EXEC_INFO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a plug-in gave: a token, a client certificate with its key (PEM), or both."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: datetime | None = None

    def fetched(self) -> Fetched:
        """Return the token as of now."""
        header = f"Bearer {self.token}" if self.token else ""
        if self.expires is None:
            return Fetched(header)
        left = (self.expires - datetime.now(UTC)).total_seconds()
        return Fetched(header, stale_in=max(left - EARLY, left / 2), ends_in=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """How to start a plug-in."""

    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    api_version: str

    async def run(self, *, within: float = WITHIN) -> Credential:
        """Start it and return what it gives.

        Raises:
            Unreachable: it failed.
        """
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        try:
            process = await asyncio.create_subprocess_exec(
                self.command,
                *self.arguments,
                env={**os.environ, **self.environment, _INFO: orjson.dumps(info).decode()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _failed(f"cannot be started: {getattr(error, 'strerror', None) or 'it is no command'}") from None
        try:
            async with asyncio.timeout(within):
                said, _ = await process.communicate()
        except TimeoutError:
            raise _failed(f"was not done within {within:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode != 0:
            raise _failed(f"ended with {process.returncode}; start it by hand to see what it says")
        return self._credential(said)

    def _credential(self, said: bytes) -> Credential:
        try:
            answer = orjson.loads(said)
            status = answer["status"]
            expires = status.get("expirationTimestamp")
            found = Credential(
                token=str(status.get("token") or ""),
                certificate=str(status.get("clientCertificateData") or ""),
                key=str(status.get("clientKeyData") or ""),
                expires=datetime.fromisoformat(expires) if expires else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _failed("printed no ExecCredential") from None
        if answer.get("apiVersion") != self.api_version:
            raise _failed("speaks another apiVersion than the kubeconfig names")
        if not found.token and not (found.certificate and found.key):
            raise _failed("gave neither a token nor a client certificate with its key")
        if found.expires is not None and found.expires.tzinfo is None:
            raise _failed("gave an expirationTimestamp without a time zone")
        return found


def plugin_of(described: Any, *, folder: str) -> Plugin:
    """Return the plug-in that a kubeconfig in ``folder`` describes.

    Raises:
        UsageError: it cannot be started.
    """
    try:
        command, api_version = str(described["command"]), str(described["apiVersion"])
        arguments = tuple(str(each) for each in described.get("args") or ())
        environment = {str(each["name"]): str(each["value"]) for each in described.get("env") or ()}
    except (KeyError, TypeError, AttributeError):
        raise UsageError(
            "exec: it needs command and apiVersion; args is a list, env a list of name and value"
        ) from None
    if os.sep in command:
        command = os.path.join(folder, command)
    if shutil.which(command, path=environment.get("PATH")) is None:
        raise UsageError("exec: its command is not there or is no program: install it")
    return Plugin(command=command, arguments=arguments, environment=environment, api_version=api_version)


def _failed(what: str) -> Unreachable:
    return Unreachable(f"the plug-in that the kubeconfig has for credentials {what}")
