"""The commands and their flags. What each does stands in a module of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from stunnergw import __version__
from stunnergw.cli.arguments import rewrite
from stunnergw.cli.flags import ENVIRONMENT, DecisionFlags, duration_converter
from stunnergw.errors import NotFoundOut, StunnergwError, UsageError

DONE, FOUND_PROBLEMS, WRONG_USAGE, NOT_FOUND_OUT = 0, 1, 2, 3

Manifests = Annotated[
    list[Path],
    Parameter(
        name=["--filename", "-f"], negative=(), consume_multiple=True, help="A file or folder of manifests; repeatable."
    ),
]

app = App(
    name="stunnergw",
    help="A Kubernetes gateway operator for STUNner.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
)


@app.command
def run(
    *,
    manifests: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--manifests",
            negative=(),
            help="Serve from a file or folder of manifests, which is watched; repeatable.",
        ),
    ] = (),
    flags: DecisionFlags | None = None,
    throttle_timeout: Annotated[
        float, Parameter(converter=duration_converter, help="How long to wait for more changes after the first.")
    ] = 0.005,
    config_discovery_address: Annotated[
        str, Parameter(help="Where data planes and pollers ask for configurations.")
    ] = ":13478",
    operator_address: Annotated[
        str | None,
        Parameter(
            env_var=f"{ENVIRONMENT}ADDRESS", show=False, help="Replaces the host of the config discovery address."
        ),
    ] = None,
    inspection_address: Annotated[str, Parameter(help="Where /status answers.")] = "127.0.0.1:8082",
    health_probe_bind_address: Annotated[str, Parameter(help="Where /healthz and /readyz answer.")] = ":8081",
    metrics_bind_address: Annotated[str, Parameter(help="Where /metrics answers.")] = ":8080",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Parameter(help="The least that is logged.")
    ] = "info",
    log_format: Annotated[
        Literal["auto", "text", "json"], Parameter(help="How; auto: text on a terminal, else JSON.")
    ] = "auto",
) -> int:
    """Run the operator: read the manifests, work out the configurations, serve them, and keep up with changes.

    An address is host:port or :port; port 0 takes a free one, and the address 0 switches a listener off.
    """
    from stunnergw.cli.running import RunFlags, run_operator

    return run_operator(
        RunFlags(
            manifests=manifests,
            decisions=flags,
            throttle_timeout=throttle_timeout,
            config_discovery_address=config_discovery_address,
            operator_address=operator_address,
            inspection_address=inspection_address,
            health_probe_bind_address=health_probe_bind_address,
            metrics_bind_address=metrics_bind_address,
            log_level=log_level,
            log_format=log_format,
        )
    )


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
    try:
        result = app(rewritten.arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _fail(_one_line(error), WRONG_USAGE)
    except UsageError as error:
        return _fail(str(error), WRONG_USAGE)
    except NotFoundOut as error:
        return _fail(str(error), NOT_FOUND_OUT)
    except StunnergwError as error:
        return _fail(str(error), FOUND_PROBLEMS)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone: nothing is wrong.
        sys.stderr.close()
        return DONE
    return result if isinstance(result, int) else DONE


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _fail(message: str, code: int) -> int:
    print(f"stunnergw: {message}", file=sys.stderr)
    return code
