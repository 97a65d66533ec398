"""`prominence doctor`: how each part of the service is, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import click

from prominence.cli import doctor as rules
from prominence.cli import view
from prominence.cli.certificates import certificate_of
from prominence.cli.commands import options
from prominence.cli.render.doctor import table_of_parts
from prominence.cli.render.documents import document
from prominence.cli.surroundings import Surroundings
from prominence.core import version
from prominence.core.health import Finding


@click.command()
@options.plain_document
@click.pass_context
def doctor(context: click.Context, /, output: str) -> None:
    """Tell how each part of the service is, and what to do.

    HTCondor's daemons, etcd, the stores, the scaler, imc, clouds and disks as the API sees them, for operators; and the
    API's clock, version and certificate as they are seen from here. Exits with 1 where something is broken or could
    not be found out.
    """
    surroundings: Surroundings = context.obj
    with surroundings.client() as client:
        asked = surroundings.today()
        answer = client.health()
        answered = surroundings.today()
        url = client.url
    told = view.number(answer, "time")
    clock = rules.of_clock(told, asked, answered)
    same = rules.of_version(version.installed(), view.text(answer, "version"))
    found = rules.together(answer, [clock, same, *_certificate(url, surroundings)])
    click.echo(document(found, output) if output in options.DOCUMENTS else table_of_parts(found))
    context.exit(0 if rules.is_well(found) else 1)


def _certificate(url: str, surroundings: Surroundings) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        found = certificate_of(parts.hostname, parts.port or 443, surroundings.environment)
        yield rules.of_certificate(found, surroundings.today())
