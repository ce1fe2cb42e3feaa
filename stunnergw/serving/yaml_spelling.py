"""A document as YAML, every text in double quotes.

YAML readers differ in which plain words they take for numbers and truths (``1e3``, ``no``, ``0x1F``), and a password
may be any of them.
"""

from __future__ import annotations

import sys

import orjson
import yaml


class _Quoting(yaml.SafeDumper):
    """Writes mappings in the given order and quotes values."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Quoting.add_representer(str, _quoted)


def as_yaml(body: bytes) -> bytes:
    """Return a JSON document as YAML."""
    text: str = yaml.dump(orjson.loads(body), Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return text.encode()
