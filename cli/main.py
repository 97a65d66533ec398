"""The command `prominence`: the commands together, and one end for every mistake: a sentence and an exit code."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

import click

from prominence.cli import exit_codes, surroundings
from prominence.cli.commands import (
    acts,
    array,
    budget,
    completion,
    data,
    doctor,
    jobs,
    kv,
    login,
    resources,
    status,
    submit,
    tokens,
    usage,
    webhooks,
    why,
    worker,
    workflow,
)
from prominence.cli.errors import ClientError
from prominence.cli.lazy import Lazy, LazyGroup
from prominence.cli.render.text import clean
from prominence.core import version
from prominence.core.errors import ProminenceError, sentence

_EPILOG = f"""\b
Which service, and which token; the first that exists decides:
  1. PROMINENCE_URL in the environment, with PROMINENCE_TOKEN or a login
  2. the file that PROMINENCE_ENV names
  3. .pool/env here or in a parent, within the repository or home
  4. $XDG_STATE_HOME/prominence/default/env (~/.local/state/...)
  5. the login in ~/.prominence

\b
Exit codes:
  with --wait and --follow, the job's own; and
  {exit_codes.FAILED}  wrong usage, refused by the API, or the job has no exit code
  {exit_codes.NOT_CONFIGURED}  no service is known here, or the token is not accepted
  {exit_codes.UNREACHABLE}  the API does not answer, or not now: trying again later is right
  {exit_codes.INTERRUPTED}  interrupted; a job that was created goes on
"""


class CommandLine(LazyGroup):
    """The outermost group. It always ends the process, never with a traceback, and keeps to the exit codes."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run, and exit."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.Abort:
            code = _end("Interrupted.", exit_codes.INTERRUPTED)
        except click.ClickException as error:
            with suppress(OSError):  # as in _end
                error.show()
            code = exit_codes.FAILED
        except ClientError as error:
            code = _end(error.told(), error.exit_code)
        except (ProminenceError, OSError) as error:
            code = _end(sentence(error), exit_codes.FAILED)
        except Exception as error:  # noqa: BLE001 - Python's own end would use 1, which is a job's exit code
            code = _end(_unforeseen(error), exit_codes.FAILED)
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; help and version are told meanwhile."""
        with _perhaps_unread():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _perhaps_unread():
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a full disk can still be told
            return result


@contextmanager
def _perhaps_unread() -> Iterator[None]:
    """That nobody reads our output any more is no mistake."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(exit_codes.BROKEN_PIPE) from None


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
    lazy={
        "pool": Lazy(
            module="prominence.cli.commands.pool",
            attribute="pool",
            extra="pool",
            help="Run the whole service on this machine.",
        )
    },
)
@click.pass_context
def command_line(ctx: click.Context) -> None:
    """Run jobs in containers on machines that appear when they are needed."""
    if ctx.obj is None:
        ctx.obj = surroundings.real()


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"prominence {version.installed()}")
        ctx.exit()


command_line.params.append(
    click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version."
    )
)
for _command in (
    *(submit.create, submit.run, jobs.list_jobs, jobs.describe, why.why, jobs.stdout, jobs.stderr),
    *(acts.hold, acts.release, acts.edit, acts.execute, acts.clone, acts.remove, acts.delete),
    array.array,
    # What is asked of workflows alone needs no word for them.
    *(workflow.workflow, workflow.show_graph, workflow.failures, workflow.rerun),
    *(data.upload, data.download, data.snapshot, data.ls, data.rm, data.quota),
    *(resources.resources, status.status, doctor.doctor, worker.worker),
    usage.usage,
    usage.report,
    budget.budget,
    webhooks.webhook,
    *(kv.kv, login.login, login.register, login.logout, tokens.whoami, tokens.token, completion.completion),
):
    command_line.add_command(_command)


def main() -> None:
    """What the installed command calls."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # whoever called us has closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter gets its number
    try:
        command_line(prog_name="prominence")
    finally:
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)


def _let_go(stream: TextIO) -> None:
    """What could not be written was told, if it could be: Python's own end would try again, and exit with 120."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end(sentence: str, code: int) -> int:
    with suppress(OSError):  # nobody reads it, or its disk is full: the code is told all the same
        click.echo(f"prominence: {clean(sentence)}", err=True)
    return code


def _unforeseen(error: Exception) -> str:
    if os.environ.get("PROMINENCE_DEBUG"):
        traceback.print_exception(error)
    return (
        f"This should not have happened: {type(error).__name__}: {error}. "
        "With PROMINENCE_DEBUG=1 in the environment the place is shown; please report it."
    )


if __name__ == "__main__":
    main()
