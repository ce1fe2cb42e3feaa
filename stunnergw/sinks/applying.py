"""The body of an owned object as it is applied: secrets put back, and marked with the digest of all the rest.

The annotation ``stunner.l7mp.io/applied`` is how a later run, or another replica, sees without comparing fields that an
object is as we want it, and leaves it alone. It says nothing of secrets: these are compared with those that stand
there, without being looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stunnergw.projection.bodies import APPLIED
from stunnergw.resources.owned import CONTAINER, ConfigMap, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stunnergw.opaque import Opaque
    from stunnergw.projection.bodies import OwnedObject
    from stunnergw.resources.metadata import KubernetesObject


def applied_body(wanted: OwnedObject) -> dict[str, Any]:
    """Return the whole object, secrets in clear, with the digest of the rest among its annotations."""
    body: dict[str, Any] = _revealed(orjson.loads(wanted.body), {str(secret): secret for secret in wanted.secrets})
    body["metadata"].setdefault("annotations", {})[APPLIED] = wanted.digest
    return body


def has_secrets(found: KubernetesObject, wanted: OwnedObject) -> bool:
    """Say whether an object, as the API server has it, holds the secrets that are wanted, each in its place."""
    if not wanted.secrets:
        return True
    there = _secrets_there(found)
    known = {str(secret): secret for secret in wanted.secrets}
    for name, text in _texts(orjson.loads(wanted.body)):
        secret = known.get(text)
        if secret is None:
            continue
        held = there.get(name)
        # The API server drops a field that is empty.
        if not (secret.facts.empty if held is None else held.same_value(secret)):
            return False
    return True


def without_secrets(message: str, wanted: OwnedObject) -> str:
    """Blank out the object's secrets in what the API server says of it: it likes to quote values."""
    spellings = {spelled for secret in wanted.secrets for spelled in _spellings(secret.reveal().decode())}
    # The longest first, so that of one that holds another nothing is left.
    for spelled in sorted(spellings, key=len, reverse=True):
        message = message.replace(spelled, "…")
    return message


def _spellings(text: str) -> set[str]:
    """Return a text as it may stand in an error: plain, as a string of JSON or Go, and within another such string."""
    quoted = _quoted(text)
    html = quoted
    for character in "<>&\u2028\u2029":
        html = html.replace(character, f"\\u{ord(character):04x}")
    return {text, quoted, html, _quoted(quoted), _quoted(html)} - {""}


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _secrets_there(found: KubernetesObject) -> dict[str, Opaque]:
    match found:
        case ConfigMap(data=data) if data.stunnerd_conf is not None:
            return {"stunnerd.conf": data.stunnerd_conf}
        case Workload(variables=variables):
            return {variable.name: variable.value for variable in variables}
    return {}


def _texts(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the names and texts in a wanted body among which its secrets are: data, or variables of the data plane."""
    yield from body.get("data", {}).items()
    pod = body.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", ()):
        if container["name"] == CONTAINER:
            yield from ((variable["name"], variable.get("value")) for variable in container["env"])


def _revealed(value: Any, secrets: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _revealed(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_revealed(part, secrets) for part in value]
    if isinstance(value, str) and value in secrets:
        return secrets[value].reveal().decode()
    return value
