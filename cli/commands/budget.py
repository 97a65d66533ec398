"""`prominence budget`: what groups may use, and have used; for operators, to give them more."""

from __future__ import annotations

import shutil
import sys

import click

from prominence.cli.commands import options
from prominence.cli.render.budgets import table_of_budgets, table_of_entries
from prominence.cli.render.documents import document
from prominence.cli.surroundings import Surroundings


@click.group(invoke_without_command=True)
@options.plain_document
@click.pass_context
def budget(ctx: click.Context, /, output: str) -> None:
    """Tell how it is with the budgets of your groups.

    Figures are service units: what may be used from the one day to the other, what was, what jobs in the queue may
    still use, and what is left for new ones.
    """
    if ctx.invoked_subcommand is not None:
        return
    with ctx.find_object(Surroundings).client() as client:  # type: ignore[union-attr]  # the outermost group makes one
        found = client.budgets.list()
    click.echo(document(found, output) if output in options.DOCUMENTS else table_of_budgets(found, _width()))


@budget.command()
@click.argument("group")
@options.plain_document
@click.pass_obj
def ledger(surroundings: Surroundings, /, group: str, output: str) -> None:
    """Tell how the budget of GROUP was adjusted, by whom and why."""
    with surroundings.client() as client:
        found = client.budgets.ledger(group)
    click.echo(document(found, output) if output in options.DOCUMENTS else table_of_entries(found, _width()))


@budget.command(context_settings={"ignore_unknown_options": True})  # so that -5 is a number
@click.argument("group")
@click.argument("units", type=float)
@click.option("--why", required=True, help="For the group, and for whoever looks into the ledger later.")
@click.pass_obj
def adjust(surroundings: Surroundings, /, group: str, units: float, why: str) -> None:
    """Give GROUP so many service UNITS more. Below 0 they are less. For operators."""
    with surroundings.client() as client:
        entry = client.budgets.adjust(group, units, why)
    click.echo(table_of_entries([entry], None), err=True)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
