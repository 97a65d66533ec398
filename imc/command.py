"""`prominence-imc static`: static workers, listed, drained, and taken back."""

from __future__ import annotations

import argparse
from datetime import datetime

from prominence.imc import statics
from prominence.imc.admin import Commands
from prominence.imc.ports import Pool
from prominence.imc.records import Records

NAME = "static"
REASON = "drained by an operator"


def add_to(commands: Commands) -> None:
    """To imc's other commands."""
    what = "workers of the pool that imc has not made; without an act: list them"
    acts = commands.add_parser(NAME, help=what, description=what).add_subparsers(dest="act", metavar="ACT")
    drain = acts.add_parser("drain", help="let one take no new jobs; those it has go on")
    drain.add_argument("name", metavar="NAME")
    drain.add_argument("--reason", default=REASON, help="for whoever looks at the machine (default: %(default)s)")
    undrain = acts.add_parser("undrain", help="let it take jobs again")
    undrain.add_argument("name", metavar="NAME")
    revoke = acts.add_parser("revoke", help="its token is good no more, such as when the machine was stolen")
    revoke.add_argument("name", metavar="NAME")
    readmit = acts.add_parser("readmit", help="its token is good again")
    readmit.add_argument("name", metavar="NAME")


def run(given: argparse.Namespace, records: Records, pool: Pool, now: datetime) -> None:
    """Do it, and print what there is to say. Raises ProminenceErrors."""
    match given.act:
        case None:
            for worker in statics.all_of_them(records, pool):
                print(worker.sentence())
            for name in statics.revoked(records, pool):
                print(f"{name}: its token is revoked")
        case "drain":
            statics.drain(records, pool, given.name, given.reason)
        case "undrain":
            statics.undrain(records, pool, given.name)
        case "revoke":
            statics.revoke(records, pool, given.name, now)
        case "readmit":
            statics.readmit(records, pool, given.name, now)
        case _:
            raise AssertionError(given.act)
