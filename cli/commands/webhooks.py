"""`prominence webhook`: programs of ours that are called when our jobs have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from prominence.cli.commands import options
from prominence.cli.render.documents import as_json
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, utc
from prominence.cli.surroundings import Surroundings

_COLUMNS = ("ID", "OWNER", "NAME", "URL", "EVENTS", "TAKEN", "TROUBLE")


@click.group()
def webhook() -> None:
    """Have programs of yours called when your jobs have ended."""


@webhook.command()
@click.argument("url")
@click.option(
    "--event", "events", multiple=True, help="jobFinished, workflowFinished or budgetAlert. May be repeated. "
    "Default: all.")  # fmt: skip
@click.option("--group", help="For managers and operators: make it the group's.")
@click.option("--name", default="", help="A name for people: what listens there.")
@options.as_json
@click.pass_obj
def create(surroundings: Surroundings, /, output: str, url: str, **wanted: Any) -> None:
    """Register URL, and print the secret that calls are signed with. It is not shown again."""
    with surroundings.client() as client:
        made = client.webhooks.create(url, **wanted)
    if output == "json":
        click.echo(as_json(made))
        return
    click.echo(f"Webhook {clean(str(made.get('id')))}; its secret:", err=True)
    click.echo(clean(str(made.get("secret", ""))))


@webhook.command("list")
@options.as_json
@click.pass_obj
def list_webhooks(surroundings: Surroundings, /, output: str) -> None:
    """List your webhooks, and how they do."""
    with surroundings.client() as client:
        found = client.webhooks.list()
    click.echo(as_json(found) if output == "json" else table(_COLUMNS, map(_row, found)))


@webhook.command()
@click.argument("webhook_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def delete(surroundings: Surroundings, /, webhook_ids: tuple[str, ...]) -> None:
    """Have webhooks called no more."""
    with surroundings.client() as client:
        for webhook_id in webhook_ids:
            client.webhooks.delete(webhook_id)
            click.echo(f"Webhook {clean(webhook_id)} deleted")


def _row(one: Mapping[str, Any]) -> list[str]:
    events = one.get("events")
    given_up = one.get("givenUp")
    trouble = [str(one["reason"]) + f" ({one.get('failures')})"] if one.get("reason") else []
    trouble += [f"{len(given_up)} given up"] if isinstance(given_up, list) and given_up else []
    return [
        clean(str(one.get("id", "-"))),
        clean(str(one.get("group") or one.get("user", "-"))),
        clean(str(one.get("name") or "-")),
        clean(str(one.get("url", "-"))),
        clean(" ".join(map(str, events)) if isinstance(events, list) else "-"),
        utc(one["takenAt"]) if isinstance(one.get("takenAt"), int) else "-",
        clean(", ".join(trouble)) or "-",
    ]
