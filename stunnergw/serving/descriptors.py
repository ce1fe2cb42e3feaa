"""Room for many connections: each takes a file descriptor, and a process is given few unless it asks for more."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger(__name__)

WANTED = 65_536
ENOUGH = 16_384
"""Below this it is said: 10,000 data planes, half of them dialling anew before their old connections are seen to be
gone, and some for all else."""


def make_room() -> int:
    """Raise the limit of open files as far as it is any use and allowed; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            # Some systems have a lower limit still, which they do not tell.
            log.info("the limit of open files cannot be raised", limit=soft, error=str(error))
        else:
            soft = wanted
    if soft != resource.RLIM_INFINITY and soft < ENOUGH:
        log.warning("few data planes can be connected at once: raise the limit of open files (ulimit -n)", limit=soft)
    return soft
