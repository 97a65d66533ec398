"""Commands for administrators: `prominence-imc clouds`, `workers`, `offers`, `orphans`, `drain`, `forget`.

They ask the API of the imc that the settings are of. What they print is a table, or with --json what the API answers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

import requests

from prominence.core.errors import ProminenceError, Unavailable

Rows = Sequence[Sequence[object]]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_TIMEOUT_S = 10


class Api:
    """imc's API, spoken to with the token of its settings."""

    def __init__(self, url: str, token: str, request: Callable[..., requests.Response] = requests.request) -> None:
        self._url = url
        self._token = token
        self._request = request

    def call(self, method: str, path: str, body: object = None, **parameters: str) -> Any:
        """What it answers. Raises ProminenceError with its sentence, or Unavailable."""
        try:
            answer = self._request(
                method,
                f"{self._url}{path}",
                json=body,
                params=parameters,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=_TIMEOUT_S,
            )
            said = answer.json() if answer.content else None
        except requests.RequestException as error:
            raise Unavailable(f"imc does not answer at {self._url}: {type(error).__name__}") from error
        if answer.status_code >= 400:
            raise ProminenceError(said.get("error", "imc refuses") if isinstance(said, dict) else "imc refuses")
        return said


def add_commands(parser: argparse.ArgumentParser) -> Commands:
    """All of them, to the program that runs imc when it is given none; more may be added to what comes back."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands for administrators")
    for name, what in (
        ("clouds", "the clouds: how full they are, and what is wrong with them"),
        ("workers", "the workers: where each is, and why"),
        ("orphans", "machines that bear our mark and have no record"),
        ("offers", "where a worker could go now, and why not elsewhere"),
        ("drain", "let a worker take no new jobs"),
        ("forget", "drop the record of a worker that has ended"),
    ):
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--json", action="store_true", help="print what imc answers")
        if name in ("drain", "forget"):
            command.add_argument("worker", help="its name")
        if name == "drain":
            command.add_argument("--reason", default="drained by an administrator", help="why, for people")
        if name == "offers":
            command.add_argument("--cpus", type=int, default=1, help="cores it must have (1)")
            command.add_argument("--memory", type=int, default=1000, metavar="MIB", help="memory, in MiB (1000)")
            command.add_argument("--disk", type=int, default=0, metavar="MIB", help="disk, in MiB (0)")
            command.add_argument("--gpus", type=int, default=0, help="GPUs (0)")
            command.add_argument("--group", action="append", default=[], help="for its jobs; may be repeated")
            command.add_argument("--cloud", action="append", default=[], help="only there; may be repeated")
    return commands


def run(given: argparse.Namespace, api: Api) -> str:
    """What the command prints."""
    answer, rows = _COMMANDS[given.command](given, api)
    return json.dumps(answer, indent=2) if given.json else table(rows)


def table(rows: Rows) -> str:
    """Columns, the first row above them; "" when there is nothing to show."""
    texts = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))] if texts else []
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
    return "\n".join(line.rstrip() for line in lines)


def _clouds(_: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    clouds = api.call("GET", "/v1/clouds")
    rows: list[Sequence[object]] = [("CLOUD", "TIER", "WORKERS", "CPUS", "FLAVOURS", "STATE")]
    for one in clouds:
        cpus = f"{one['cpus']}/{one['cpu_limit']}" if one["cpu_limit"] is not None else one["cpus"]
        state = one["error"] or "; ".join(f"{name}: {why}" for name, why in one["troubles"].items()) or "ok"
        state += f" (silent since {one['silent_since']})" if one["silent_since"] else ""
        state += f" (again at {one['retry_at']})" if one["retry_at"] else ""
        quota = one["quota"]["machines"]
        most = one["limit"] if quota is None else min(one["limit"], quota)
        workers = f"{one['occupied']}/{most}"
        rows.append((one["name"], one["tier"], workers, cpus, len(one["flavours"]), state))
    return clouds, rows


def _workers(_: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    workers = api.call("GET", "/v1/workers")
    rows: list[Sequence[object]] = [
        ("WORKER", "WISH", "PHASE", "SINCE", "CLOUD", "FLAVOUR", "ATTEMPTS", "REASON", "REFUSED BEFORE")
    ]
    for one in workers:
        place = one["flavour"] or {"cloud": "-", "name": "-"}
        wish, attempts = one["request"]["wish"], one["attempts"]
        refused = "; ".join(one["refusals"])
        known = (one["phase"], one["phase_since"], place["cloud"], place["name"], attempts, one["reason"], refused)
        rows.append((one["name"], wish, *known))
    return workers, rows


def _orphans(_: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    clouds = api.call("GET", "/v1/clouds")
    found = [{"cloud": one["name"], "machine": name} for one in clouds for name in one["orphans"]]
    return found, [("CLOUD", "MACHINE"), *((one["cloud"], one["machine"]) for one in found)]


def _offers(given: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    size = {"cpus": given.cpus, "memory_mib": given.memory, "disk_mib": given.disk, "gpus": given.gpus}
    question = {"size": size, "within": {"sites": given.cloud}, "groups": given.group}
    answer = api.call("POST", "/v1/placements", question)
    rows: list[Sequence[object]] = [("RANK", "CLOUD", "FLAVOUR", "CPUS", "MEMORY", "PRICE", "WHY NOT")]
    for rank, one in enumerate(answer["offers"], 1):
        room = one["size"]
        rows.append((rank, one["cloud"], one["name"], room["cpus"], room["memory_mib"], one["price"], ""))
    for one in answer["refusals"]:
        when = "never" if one["never"] else "not now"
        rows.append((when, one["cloud"], one["flavour"] or "(all)", "", "", "", one["reason"]))
    return answer, rows


def _drain(given: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    worker = api.call("POST", f"/v1/workers/{quote(given.worker, safe='')}/drain", reason=given.reason)
    return worker, [(f"{worker['name']} is {worker['phase']}, and wished {worker['request']['wish']}",)]


def _forget(given: argparse.Namespace, api: Api) -> tuple[Any, Rows]:
    api.call("DELETE", f"/v1/workers/{quote(given.worker, safe='')}/record")
    return None, [(f"{given.worker} is forgotten",)]


def _plain(cell: object) -> str:
    """Clouds' texts may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in str(cell))


_COMMANDS: dict[str, Callable[[argparse.Namespace, Api], tuple[Any, Rows]]] = {
    "clouds": _clouds,
    "workers": _workers,
    "orphans": _orphans,
    "offers": _offers,
    "drain": _drain,
    "forget": _forget,
}
