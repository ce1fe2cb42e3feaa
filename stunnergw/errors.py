"""Every error that stunnergw raises on purpose.

::

    StunnergwError
    ├── UsageError            wrong flags or settings, unreadable input: exit 2
    │   └── ManifestError     a file of manifests that cannot be read as a whole
    ├── InvalidObject         one object that does not fit its kind; the others are not concerned
    ├── NotFoundOut           the answer could not be had (unreachable, forbidden): exit 3
    │   ├── Unreachable       the API server did not answer
    │   └── ApiError          the API server refused; its status, reason and message
    ├── FellBehind            a reader of the event log asked for events that are gone
    └── Unknown               a decision cannot be made yet: its outputs are undecided

A message names the object, the field and what to do, and never holds a secret.
"""

from __future__ import annotations


class StunnergwError(Exception):
    """Base of the tree above."""


class UsageError(StunnergwError):
    """The command line, a setting or an input file is unusable. Commands end with exit code 2."""


class ManifestError(UsageError):
    """A file of manifests cannot be read as a whole (missing, not YAML, too deeply nested).

    ``path`` is the file as the user named it, ``line`` the 1-based line where known.
    """

    def __init__(self, path: str, problem: str, *, line: int | None = None) -> None:
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


class InvalidObject(StunnergwError):
    """One object does not fit its kind. ``field`` is a dotted path such as ``spec.listeners[0].port``."""

    def __init__(self, subject: str, field: str, problem: str) -> None:
        super().__init__(f"{subject}: {field}: {problem}" if field else f"{subject}: {problem}")
        self.subject = subject
        self.field = field
        self.problem = problem


class NotFoundOut(StunnergwError):
    """What was asked could not be found out. Commands end with exit code 3."""


class Unreachable(NotFoundOut):
    """The API server did not answer, or went away in the middle."""


class ApiError(NotFoundOut):
    """The API server refused a request.

    ``reason`` is the server's word, such as ``NotFound``; ``retry_after`` the seconds that it asks to wait.
    """

    def __init__(self, status: int, *, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class FellBehind(StunnergwError):
    """A reader asked for events older than the log keeps; it starts again from the store.

    ``oldest`` is the first sequence number that can still be had.
    """

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"events after {asked} are no longer kept; the oldest is {oldest}")
        self.oldest = oldest


class Unknown(StunnergwError):
    """A query cannot decide, for the reason given; whatever rests on it is undecided."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
