"""Example manifests, shipped with the program: each folder is a whole installation, to be run as it is."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def example(name: str) -> Path:
    """Return the folder of an example such as ``today/one-udp-gateway``."""
    return FOLDER / name
