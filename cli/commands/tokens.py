"""`prominence whoami` and `prominence token`: who we are to the API, and tokens for scripts."""

from __future__ import annotations

from typing import Any

import click

from prominence.cli.commands import options
from prominence.cli.render.documents import as_json
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, utc
from prominence.cli.surroundings import Surroundings

_COLUMNS = ("id", "user", "name", "scopes", "expires")


@click.command()
@options.as_json
@click.pass_obj
def whoami(surroundings: Surroundings, /, output: str) -> None:
    """Tell who you are to the service, and what your token may do."""
    with surroundings.client() as client:
        found = client.whoami()
    if output == "json":
        click.echo(as_json(found))
        return
    for key in ("user", "groups", "roles", "manages", "scopes", "expires"):
        if found.get(key):
            click.echo(f"{key.capitalize():8}  {_shown(key, found[key])}")


@click.group()
def token() -> None:
    """Make tokens for your scripts, list and revoke them."""


@token.command()
@click.option("--name", default="", help="A name for people: where it is used.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help="What it is good for: jobs:read, jobs:write, data:read, data:write, kv:read, kv:write, operate. May be "
    "repeated. Default: all but operate.",
)
@click.option("--days", type=click.IntRange(1), help="For how long. Default: as the service has it.")
@click.option("--service", help="For operators: make it for the service of this name.")
@click.option("--group", "groups", multiple=True, help="A group of the service. May be repeated.")
@options.as_json
@click.pass_obj
def create(surroundings: Surroundings, /, output: str, **wanted: Any) -> None:
    """Make a token and print it. It is not shown again."""
    with surroundings.client() as client:
        record = client.tokens.create(**wanted)
    if output == "json":
        click.echo(as_json(record))
        return
    click.echo(
        f"Token {_shown('id', record.get('id'))}, good until {_shown('expires', record.get('expires'))}:", err=True
    )
    click.echo(clean(str(record.get("token", ""))))


@token.command("list")
@click.option("-a", "--all", "everybody", is_flag=True, help="For operators: the tokens of all users.")
@options.as_json
@click.pass_obj
def list_tokens(surroundings: Surroundings, /, everybody: bool, output: str) -> None:
    """List your tokens. Not the tokens themselves, but what they are good for and until when."""
    with surroundings.client() as client:
        records = client.tokens.list(everybody)
    if output == "json":
        click.echo(as_json(records))
    else:
        rows = [tuple(_shown(key, one.get(key)) for key in _COLUMNS) for one in records]
        click.echo(table([key.upper() for key in _COLUMNS], rows))


@token.command()
@click.argument("token_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def revoke(surroundings: Surroundings, /, token_ids: tuple[str, ...]) -> None:
    """Revoke tokens: from now on they are good for nothing."""
    with surroundings.client() as client:
        for token_id in token_ids:
            client.tokens.revoke(token_id)
            click.echo(f"Token {clean(token_id)} revoked")


@token.command()
@click.option("--revoke", is_flag=True, help="Revoke all that you were given, and make none.")
@options.as_json
@click.pass_obj
def worker(surroundings: Surroundings, /, revoke: bool, output: str) -> None:
    """Make a token for workers of your own, and print it. They run your jobs alone. It is not shown again."""
    with surroundings.client() as client:
        if revoke:
            client.tokens.revoke_of_workers()
            click.echo("All tokens for your workers revoked")
            return
        made = client.tokens.for_workers()
    if output == "json":
        click.echo(as_json(made))
        return
    owner, expires = _shown("owner", made.get("owner")), _shown("expires", made.get("expires"))
    click.echo(f"For workers whose names end with .{owner}, good until {expires}:", err=True)
    click.echo(clean(str(made.get("token", ""))))


def _shown(key: str, value: Any) -> str:
    if key == "expires" and isinstance(value, int):
        return utc(value)
    return clean(" ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value))
