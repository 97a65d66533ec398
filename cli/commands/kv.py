"""`prominence kv`: small texts that a user's jobs and scripts share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from prominence.cli.commands import options
from prominence.cli.render.documents import as_json
from prominence.cli.render.text import clean
from prominence.cli.surroundings import Surroundings


@click.group()
def kv() -> None:
    """Keep small texts, by key, for your jobs and scripts."""


@kv.command("list")
@click.argument("path", default="")
@click.option("--values", is_flag=True, help="With their values.")
@options.as_json
@click.pass_obj
def list_keys(surroundings: Surroundings, /, path: str, values: bool, output: str) -> None:
    """List your keys, or those that begin with PATH."""
    with surroundings.client() as client:
        found = client.kv.values(path) if values else dict.fromkeys(client.kv.list(path), "")
    if output == "json":
        click.echo(as_json(found if values else list(found)))
        return
    for key, value in found.items():
        click.echo(f"{clean(key)}\t{clean(value)}" if values else clean(key))


@kv.command()
@click.argument("key")
@click.pass_obj
def get(surroundings: Surroundings, /, key: str) -> None:
    """Print the value of KEY, as it is."""
    with surroundings.client() as client:
        value = client.kv.get(key)
    click.echo(value, nl=not value.endswith("\n"))


@kv.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--prev", help="Only if this is its value; an empty one: only if there is no such key.")
@click.option("--literal", is_flag=True, help="VALUE is no name of a file, even if there is such a file.")
@click.pass_obj
def set_key(surroundings: Surroundings, /, key: str, value: str, prev: str | None, literal: bool) -> None:
    """Set KEY to VALUE.

    If VALUE is the name of a file, to what the file holds; "-" is standard input.
    """
    content = _bytes(value) if literal else _content(value)
    with surroundings.client() as client:
        client.kv.set(key, content, prev)


@kv.command()
@click.argument("key")
@click.option("--prefix", is_flag=True, help="Delete all keys that begin with KEY.")
@click.pass_obj
def delete(surroundings: Surroundings, /, key: str, prefix: bool) -> None:
    """Delete KEY."""
    with surroundings.client() as client:
        client.kv.delete(key, prefix)


def _content(value: str) -> bytes:
    if value == "-":
        return sys.stdin.buffer.read()
    # Also False of what no file's name can be: a text that is too long, or has a NUL in it.
    return Path(value).read_bytes() if os.path.isfile(value) else _bytes(value)


def _bytes(value: str) -> bytes:
    return value.encode(errors="surrogateescape")  # what of the command line is not in UTF-8 is for the API to judge
