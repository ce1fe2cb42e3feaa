"""``stunnergw run``: the operator, until somebody ends it."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING

from stunnergw.cli.announcing import announce
from stunnergw.cli.logging import configure
from stunnergw.cli.runflags import RunFlags, settings_of
from stunnergw.operator import Operator

if TYPE_CHECKING:
    from stunnergw.cli.flags import DecisionFlags, LogFlags
    from stunnergw.settings import Settings


def run_operator(flags: RunFlags, *, deciding: DecisionFlags | None, logging: LogFlags) -> int:
    """Run until SIGTERM or SIGINT; 0 then.

    Raises:
        UsageError: a flag is wrong, a manifest unreadable, an address taken.
    """
    # Nothing is garbage before the first snapshot, and looking for some doubles the time to it.
    gc.disable()
    settings = settings_of(flags, deciding=deciding)
    configure(level=logging.log_level, form=logging.log_format)
    if flags.leader_elect:
        print("stunnergw: --leader-elect means nothing without a cluster and is ignored", file=sys.stderr)
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    operator = Operator(settings, collect=True)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, operator.stop)
    await operator.run(on_ready=announce)
