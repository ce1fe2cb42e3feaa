"""One file that is always whole: what ``stunnergw poll`` keeps for a stunnerd to read.

A new content is written beside the file, made durable and put in its place by one rename, so that whoever opens the
file, at whatever moment, finds one document or the other. It holds credentials: only its owner may read it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import TYPE_CHECKING, final

from stunnergw.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

MODE = 0o600

_SUFFIX = ".new"
_LONGEST_NAME = 100
"""Characters of the file's name that its neighbours are named by: names have a limit, too."""


@final
class KeptFile:
    """A file whose content is replaced as a whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._prefix = f".{path.name[:_LONGEST_NAME]}."

    def prepare(self) -> None:
        """See that the file can be written, and take away what a process that was killed left beside it.

        Raises:
            UsageError: it is no regular file, or its folder is missing or not writable.
        """
        folder = self.path.parent
        if not folder.is_dir():
            raise UsageError(f"--output: {folder} is no folder: make it first")
        if self.path.exists() and not self.path.is_file():
            raise UsageError(f"--output: {self.path} is no regular file: name one, or one that is not there yet")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"--output: {folder} is not writable: files are replaced there by rename")
        for left in folder.iterdir():
            if left.name.startswith(self._prefix) and left.name.endswith(_SUFFIX):
                left.unlink(missing_ok=True)

    def keep(self, body: bytes) -> bool:
        """Have the file hold ``body``, and say whether it did not before.

        Raises:
            OSError: it cannot be written; it is as it was.
        """
        if self._holds(body):
            return False
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=self._prefix, suffix=_SUFFIX)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        self._sync_folder()
        return True

    def _holds(self, body: bytes) -> bool:
        try:
            # An open file tells its own mode, whatever is put in its place meanwhile.
            with self.path.open("rb") as file:
                same = file.read(len(body) + 1) == body
                if same and stat.S_IMODE(os.fstat(file.fileno()).st_mode) != MODE:
                    os.fchmod(file.fileno(), MODE)
                return same
        except OSError:
            return False

    def _sync_folder(self) -> None:
        # Some file systems cannot; the content is durable already, the new name follows.
        with contextlib.suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
