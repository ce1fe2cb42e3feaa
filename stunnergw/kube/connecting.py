"""Where the API server is and how to speak to it: in-cluster, or by a kubeconfig.

A kubeconfig that is named, by flag or by KUBECONFIG, counts before anything else; then the service account of the pod;
then ``~/.kube/config``. What cannot be used is one line that names the file. What may mend itself, such as a plug-in
that fails, is no error here but of the requests, which are tried again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, final

import aiohttp
from kubernetes_asyncio import config
from kubernetes_asyncio.client import Configuration

from stunnergw.errors import NotFoundOut, Unreachable, UsageError
from stunnergw.kube.kubeconfigs import Kubeconfig, read_kubeconfig
from stunnergw.kube.plugins import plugin_of
from stunnergw.kube.tls import tls_context
from stunnergw.kube.tokens import STALE_AFTER, Fetched, Token, token_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stunnergw.kube.plugins import Credential, Plugin

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

HEADER = "BearerToken"
"""The library's name for the Authorization header."""


class Connection(NamedTuple):
    """How to reach the API server."""

    configuration: Configuration
    namespace: str
    """The namespace that the service account or the kubeconfig's context names; ``default`` without one."""
    token: Token | None
    """A token that changes; None where a fixed one, a certificate or nobody speaks."""
    in_cluster: bool = False
    """We are a pod: the namespace is the one that we run in."""

    async def renew(self) -> None:
        """Keep the token fresh, for ever; returns at once where there is nothing to renew.

        It need not run: a request fetches what it lacks. With it no request has to wait for that.
        """
        if self.token is not None:
            await self.token.keep()


async def connect(
    kubeconfig: str | None, *, environ: Mapping[str, str] = os.environ, service_account: Path = SERVICE_ACCOUNT
) -> Connection:
    """Find the API server, without asking it anything.

    Raises:
        UsageError: the kubeconfig cannot be used, or there is nothing to go by.
    """
    # The library's loggers quote plug-ins and bodies, and so secrets; what goes wrong is an error of ours anyway.
    logging.getLogger("kubernetes_asyncio").setLevel(logging.CRITICAL + 1)
    if kubeconfig:
        return await _by_kubeconfig((kubeconfig,), flag="--kubeconfig")
    listed = tuple(filter(None, environ.get("KUBECONFIG", "").split(os.pathsep)))
    if listed:
        return await _by_kubeconfig(listed, flag="--kubeconfig (as KUBECONFIG says)")
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return await asyncio.to_thread(_in_cluster, environ, service_account)
    path = os.path.expanduser("~/.kube/config")  # noqa: ASYNC240 - reads the environment alone
    if not await asyncio.to_thread(os.path.exists, path):
        raise UsageError(
            f"--kubeconfig: not in a cluster, and there is no {path}: name a kubeconfig, or use --manifests"
        )
    return await _by_kubeconfig((path,), flag="--kubeconfig")


# In a cluster -------------------------------------------------------------------------------------------


def _in_cluster(environ: Mapping[str, str], account: Path) -> Connection:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT") or "443"
    for name in ("token", "ca.crt"):
        if not (account / name).is_file():
            raise UsageError(
                f"the pod's service account cannot be used: there is no {account / name}: let the pod have its token"
                " (automountServiceAccountToken), or name a --kubeconfig"
            )
    configuration = _configuration()
    configuration.host = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    configuration.ssl_ca_cert = str(account / "ca.crt")
    try:
        tls_context(configuration)
    except UsageError as error:
        raise UsageError(f"the pod's service account cannot be used: {account / 'ca.crt'}: {error}") from None
    try:
        namespace = (account / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = ""
    return Connection(configuration, namespace or "default", token_file(account / "token"), in_cluster=True)


# By a kubeconfig ----------------------------------------------------------------------------------------


async def _by_kubeconfig(paths: tuple[str, ...], *, flag: str) -> Connection:
    try:
        found = await asyncio.to_thread(read_kubeconfig, paths)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from None
    try:
        return await _connection(found)
    except UsageError as error:
        raise UsageError(f"{flag}: {os.pathsep.join(paths)} cannot be used: {error}") from None


async def _connection(found: Kubeconfig) -> Connection:
    user = dict(found.user)
    described, path = user.pop("exec", None), user.pop("tokenFile", None)
    configuration = _configuration()
    load = partial(_load, {"cluster": found.cluster, "user": user}, configuration)
    try:
        await load()
    except NotFoundOut as error:
        raise UsageError(str(error)) from None
    token: Token | None = None
    if described is not None:
        plugin = await asyncio.to_thread(partial(plugin_of, described, folder=found.user_folder))
        token = Token(_PluginRuns(plugin, configuration).fetch, source="the kubeconfig's plug-in")
    elif path is not None:
        token = token_file(Path(path))
    elif "auth-provider" in user:
        token = Token(partial(_from_provider, load, configuration), source="the kubeconfig's auth-provider")
    await asyncio.to_thread(tls_context, configuration)
    return Connection(configuration, found.namespace, token)


async def _load(parts: Mapping[str, Any], configuration: Configuration) -> None:
    """Have the library make its settings of a cluster and a user."""
    whole = {
        "clusters": [{"name": "it", "cluster": parts["cluster"]}],
        "users": [{"name": "it", "user": parts["user"]}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    try:
        await config.load_kube_config_from_dict(whole, client_configuration=configuration)
    except aiohttp.ClientError as error:
        raise Unreachable(f"the kubeconfig's auth-provider does not answer: {type(error).__name__}") from None
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, ImportError):
        # The library's own words could hold parts of the file, and so a token.
        what = "auth-provider" if "auth-provider" in parts["user"] else "user or cluster"
        raise Unreachable(f"the current context's {what} is not as it should be") from None


@final
class _PluginRuns:
    """Runs a plug-in. A client certificate that it gives goes into the settings, from where the client takes it.

    OpenSSL reads certificates from files alone: these are in a folder that nobody else can read, and go with us.
    """

    def __init__(self, plugin: Plugin, configuration: Configuration) -> None:
        self._plugin = plugin
        self._configuration = configuration
        self._folder: Path | None = None
        self._kept: list[Path] = []

    async def fetch(self) -> Fetched:
        given = await self._plugin.run()
        if given.certificate and given.key:
            await asyncio.to_thread(self._show, given)
        return given.fetched()

    def _show(self, given: Credential) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="stunnergw-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        before, self._kept = self._kept, []
        for pem in (given.certificate, given.key):
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".pem")
            with open(handle, "w", encoding="utf-8") as file:
                file.write(pem)
            self._kept.append(Path(name))
        self._configuration.cert_file, self._configuration.key_file = map(str, self._kept)
        for old in before:
            old.unlink(missing_ok=True)


async def _from_provider(load: partial[Any], configuration: Configuration) -> Fetched:
    await load()
    return Fetched(configuration.api_key.get(HEADER, ""), stale_in=STALE_AFTER)


def _configuration() -> Configuration:
    configuration = Configuration()
    # Each watch holds a connection for good; writers come on top of them.
    configuration.connection_pool_maxsize = 0
    return configuration
