"""`prominence usage` and `prominence report`: what has been used of the pool."""

from __future__ import annotations

import shutil
import sys
from calendar import monthrange
from datetime import UTC, date, datetime
from pathlib import Path

import click

from prominence.cli.client import Client
from prominence.cli.commands import options
from prominence.cli.render import report as pages
from prominence.cli.render.documents import document
from prominence.cli.render.usage import table_of_rows, table_of_usage
from prominence.cli.surroundings import Surroundings


@click.command()
@click.argument("start", required=False)
@click.argument("end", required=False)
@click.option("--by", metavar="KEYS", help="Tell apart by user, group, cloud, month and so on, or label:NAME.")
@click.option("--group", is_flag=True, help="The sums of your groups.")
@click.option("--all", "everyone", is_flag=True, help="All users that you may see, with --group all groups.")
@options.table_document
@click.pass_obj
def usage(
    surroundings: Surroundings,
    /,
    start: str | None,
    end: str | None,
    by: str | None,
    group: bool,
    everyone: bool,
    output: str,
) -> None:
    """Tell what was used by attempts that ended from START to END.

    Both are days in UTC, such as 2026-05-01, and both count; without them it is this month. Times are in hours, costs
    in the site's currency. KEYS, with commas between them, are user, group, label:NAME, workflow, cloud, region,
    flavour, outcome, blame, day or month.
    """
    if output == options.CSV and by is None:
        raise click.UsageError("-o csv needs --by.")
    today = _today(surroundings)
    days = start or today.replace(day=1).isoformat(), end or today.isoformat()
    with surroundings.client() as client:
        if by is None:
            found = client.usage(*days, by_group=group, everyone=everyone)
            click.echo(document({"usage": found}, output) if output in options.DOCUMENTS else table_of_usage(found))
        else:
            _by(client, by, days, _of(group, everyone), output)


def _by(client: Client, by: str, days: tuple[str, str], of: str, output: str) -> None:
    if output == options.CSV:
        click.echo(client.usage_as_csv(by, *days, of), nl=False)
        return
    found = client.usage_by(by, *days, of)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(document(found, output) if output in options.DOCUMENTS else table_of_rows(found, width))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--month", type=click.DateTime(["%Y-%m"]), metavar="YYYY-MM", help="By default this one.")
@click.option("--group", is_flag=True, help="The sums of your groups.")
@click.option("--all", "everyone", is_flag=True, help="Of all whom you look after.")
@click.pass_obj
def report(
    surroundings: Surroundings, /, file: Path | None, month: datetime | None, group: bool, everyone: bool
) -> None:
    """Write what was used in a month into FILE, for a browser.

    By default FILE is usage-YYYY-MM.html; - is the standard output.
    """
    first = month.date() if month else _today(surroundings).replace(day=1)
    days = first.isoformat(), first.replace(day=monthrange(first.year, first.month)[1]).isoformat()
    of = _of(group, everyone)
    keys = ["group", "cloud,flavour", "outcome,blame"] if of == "groups" else _KEYS
    with surroundings.client() as client:
        by_day, *others = (client.usage_by(key, *days, of)["rows"] for key in ("day", *keys))
    sections = dict(zip(keys, others, strict=True))
    text = pages.page(days[0][:7], _WHOSE[of], by_day, sections)
    if file == Path("-"):
        click.echo(text, nl=False)
        return
    target = file or Path(f"usage-{days[0][:7]}.html")
    target.write_text(text, "utf-8")
    click.echo(target)


_KEYS = ["user", "group", "cloud,flavour", "outcome,blame"]
_WHOSE = {"me": "Your own", "groups": "What is charged to your groups", "all": "All that you may see"}


def _of(group: bool, everyone: bool) -> str:
    return "all" if everyone else "groups" if group else "me"


def _today(surroundings: Surroundings) -> date:
    return datetime.fromtimestamp(surroundings.today(), UTC).date()
