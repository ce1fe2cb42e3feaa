"""Where the API server is and how to speak to it: in-cluster, or by a kubeconfig.

A kubeconfig that is named, by flag or by KUBECONFIG, counts before anything else; then the service account of the pod;
then ``~/.kube/config``. What cannot be used is one line that names the file.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration

from stunnergw.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

TOKEN_EVERY = 60.0
"""Seconds between two looks at a token that a plug-in of the kubeconfig gives out."""


class Connection(NamedTuple):
    """How to reach the API server."""

    configuration: Configuration
    namespace: str
    """The namespace that the service account or the kubeconfig's context names; ``default`` without one."""
    loader: Any
    """What renews the token of a kubeconfig; None in a cluster, where it is read at each request."""

    async def renew(self) -> None:
        """Keep the token of a kubeconfig's plug-in fresh, for ever; returns at once where there is none."""
        if self.loader is not None:
            await config.refresh_token(self.loader, self.configuration, interval=TOKEN_EVERY)


async def connect(kubeconfig: str | None, *, environ: Mapping[str, str] = os.environ) -> Connection:
    """Find the API server.

    Raises:
        UsageError: the kubeconfig cannot be used, or there is nothing to go by.
    """
    named = kubeconfig or environ.get("KUBECONFIG") or ""
    if not named and environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster()
    return await _by_kubeconfig(named or os.path.expanduser("~/.kube/config"), asked=bool(named))  # noqa: ASYNC240


def _in_cluster() -> Connection:
    configuration = _configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        raise UsageError(f"the pod's service account cannot be used: {error}") from error
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = ""
    return Connection(configuration, namespace or "default", None)


async def _by_kubeconfig(path: str, *, asked: bool) -> Connection:
    # Several paths, as kubectl takes them, are merged by the library; one is looked at here for a better word.
    if not asked and not await asyncio.to_thread(Path(path).exists):
        raise UsageError(
            f"--kubeconfig: not in a cluster, and there is no {path}: name a kubeconfig, or use --manifests"
        )
    configuration = _configuration()
    try:
        loader = await config.load_kube_config(
            config_file=path, client_configuration=configuration, persist_config=False
        )
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        # The library's own words could hold parts of the file, and so a token.
        raise UsageError(f"--kubeconfig: {path} cannot be used: {_reason(error)}") from None
    context = loader.current_context or {}
    namespace = (context.get("context") or {}).get("namespace") if isinstance(context, dict) else None
    return Connection(configuration, namespace or "default", loader)


def _configuration() -> Configuration:
    configuration = Configuration()
    # Each watch holds a connection for good; writers come on top of them.
    configuration.connection_pool_maxsize = 0
    return configuration


def _reason(error: Exception) -> str:
    if isinstance(error, config.ConfigException):
        return str(error).splitlines()[0][:200]
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is no kubeconfig"
