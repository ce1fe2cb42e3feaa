"""The commands. What each does stands in a module of its own; here is what it is called, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from stunnergw import __version__
from stunnergw.cli.arguments import rewrite
from stunnergw.cli.flags import DURATION, SWITCH, DecisionFlags, LogFlags
from stunnergw.cli.runflags import RunFlags
from stunnergw.errors import NotFoundOut, StunnergwError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DONE, FOUND_PROBLEMS, WRONG_USAGE, NOT_FOUND_OUT, INTERRUPTED = 0, 1, 2, 3, 130

Manifests = Annotated[
    list[Path],
    Parameter(
        name=["--filename", "-f"], negative=(), consume_multiple=True, help="A file or folder of manifests; repeatable."
    ),
]


def _spelled(name: str) -> str:
    # The library's own way makes v1-alpha1 of v1alpha1.
    return name.lower().strip("_").replace("_", "-")


app = App(
    name="stunnergw",
    help="A Kubernetes gateway operator for STUNner.",
    version=__version__,
    help_format="markdown",
    result_action="return_value",
    default_parameter=Parameter(name_transform=_spelled),
)


@app.command
def run(
    *, flags: RunFlags | None = None, deciding: DecisionFlags | None = None, logging: LogFlags | None = None
) -> int:
    """Run the operator: read the manifests, work out the configurations, serve them, and keep up with changes.

    An address is host:port or :port; port 0 takes a free one, and the address 0 switches a listener off.
    """
    from stunnergw.cli.running import run_operator

    return run_operator(flags or RunFlags(), deciding=deciding, logging=logging or LogFlags())


@app.command
def render(
    filename: Manifests,
    *,
    flags: DecisionFlags | None = None,
    output: Annotated[Literal["all", "configs", "objects", "statuses"], Parameter(help="What to print.")] = "all",
    format: Annotated[Literal["yaml", "json"], Parameter(help="How to print it.")] = "yaml",
) -> int:
    """Print what would be served and written for some manifests, secrets in clear.

    configs is the list of stunnerd's documents, objects that of Kubernetes objects as they would be applied, statuses
    that of objects with their status. What is wrong with the manifests goes to standard error.
    """
    from stunnergw.cli.rendering import print_rendering

    return print_rendering(filename, flags=flags, output=output, form=format)


@app.command
def validate(
    filename: Manifests,
    *,
    flags: DecisionFlags | None = None,
    format: Annotated[Literal["text", "json"], Parameter(help="How to print it.")] = "text",
) -> int:
    """Say what is wrong with some manifests, one problem a line: file:line: object: field: what is wrong: what to do.

    Exit code 0: nothing; 1: something, if only a file that is no YAML; 2: a path is missing or unreadable. Notes are
    no problems: what was left alone, and what only a cluster would assign.
    """
    from stunnergw.cli.validating import print_findings

    return print_findings(filename, flags=flags, form=format)


@app.command
def poll(
    url: Annotated[str, Parameter(help="Such as http://HOST:13478/config?gateway=NAMESPACE/NAME.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The file that is to hold the document.")],
    once: Annotated[bool, SWITCH, Parameter(help="Ask once: exit code 0 if the file is current, else 3.")] = False,
    wait: Annotated[
        float, DURATION, Parameter(help="How long the server may hold an answer back for a change.")
    ] = 30.0,
    logging: LogFlags | None = None,
) -> int:
    """Keep a file current for a stunnerd that reads one (stunnerd -w -c file:///…): ask for its document for ever.

    The file is replaced as a whole at each change, and keeps the last good document through whatever happens to the
    server. It holds credentials: only its owner may read it.
    """
    from stunnergw.cli.logging import configure
    from stunnergw.cli.polling import run_poll

    given = logging or LogFlags()
    configure(level=given.log_level, form=given.log_format)
    return run_poll(url, output=output, wait=wait, once=once)


@app.command
def demo() -> int:
    """Take a tour of ten seconds, without a cluster: serve a configuration, change it, see it arrive."""
    from stunnergw.cli.touring import tour

    return tour()


@app.command
def crds() -> int:
    """Print our CustomResourceDefinitions as YAML, to be applied with kubectl."""
    from stunnergw.resources.crds import render_yaml

    sys.stdout.write(render_yaml())
    return DONE


@app.command
def version() -> int:
    """Print the version."""
    print(__version__)
    return DONE


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; whatever goes wrong is one line on standard error."""
    rewritten = rewrite(arguments)
    for flag in rewritten.dropped:
        print(f"stunnergw: {flag} means nothing here and is ignored", file=sys.stderr)
    return exit_code_of(lambda: app(rewritten.arguments, exit_on_error=False, print_error=False))


def exit_code_of(work: Callable[[], object]) -> int:
    """Do the work of a command and return its exit code; whatever goes wrong is one line on standard error."""
    try:
        result = work()
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(_one_line(error), WRONG_USAGE)
    except StunnergwError as error:
        return _fail(str(error), _code(error))
    except BaseExceptionGroup as group:
        # The operator's parts run in a task group: one that met a wrong setting says so through it.
        first = next(_leaves(group))
        if not isinstance(first, StunnergwError):
            raise
        return _fail(str(first), _code(first))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone: nothing is wrong.
        sys.stderr.close()
        return DONE
    return result if isinstance(result, int) else DONE


def _code(error: StunnergwError) -> int:
    if isinstance(error, UsageError):
        return WRONG_USAGE
    return NOT_FOUND_OUT if isinstance(error, NotFoundOut) else FOUND_PROBLEMS


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _fail(message: str, code: int) -> int:
    print(f"stunnergw: {message}", file=sys.stderr)
    return code
