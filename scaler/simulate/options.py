"""What the command is told: every mistake a sentence."""

from __future__ import annotations

import argparse
import math
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from prominence.core.errors import Mistake, Rejected
from prominence.core.validation import parse
from prominence.scaler.policy import Policy
from prominence.scaler.simulate import recorded, swf
from prominence.scaler.simulate.load import HOUR_S, Load, of_jobs
from prominence.scaler.simulate.loads import LOADS
from prominence.scaler.simulate.strategies import NAMES, OURS

CREATIONS = 100
"""Machines a round, unless a policy says otherwise: the default is made for a pool on one machine."""


FILES = (".swf", ".jsonl")
PLOTS = (".png", ".svg")


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """As they were written."""
    parser = argparse.ArgumentParser(
        prog="python -m prominence.scaler.simulate",
        description="Runs a load against scaling rules on a pretend clock and tells of waits and cost.",
    )
    parser.add_argument(
        "--load", action="append", metavar="LOAD", help=f"{', '.join(LOADS)}, FILE.swf or FILE.jsonl (default: day)"
    )
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: ours)"
    )
    parser.add_argument("--compare", action="store_true", help="all strategies on the same jobs")
    parser.add_argument("--seed", type=int, help="the same seed gives the same figures (default: a new one each time)")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="the scaler's TOML file; its table policy is used")
    parser.add_argument("--interval", type=float, default=5.0, metavar="S", help="from one round of ours to the next")
    parser.add_argument("--hours", type=float, metavar="H", help="only the jobs of the first H hours")
    parser.add_argument(
        "--runtime", type=float, default=600, metavar="S", help="of jobs of a .jsonl file (default: 600)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the pools over time, as .png or .svg")
    parser.add_argument("--json", action="store_true", help="an object for each load instead of tables")
    chosen = parser.parse_args(arguments)
    _check(chosen)
    return chosen


def strategies(chosen: argparse.Namespace) -> Sequence[str]:
    """The names asked for."""
    return NAMES if chosen.compare else chosen.strategy or (OURS,)


def load(name: str, seed: int, runtime_s: float, hours: float | None) -> Load:
    """A shipped one from this seed, or that of a file: SWF, or the JSON lines of snapshots or plans."""
    if name in LOADS:
        made = LOADS[name](Random(seed))
    else:
        file = Path(name)
        read = swf.read(file) if file.suffix == ".swf" else recorded.read(file, runtime_s)
        made = of_jobs(file.name, read.jobs, read.notes, LOADS["day"](Random(seed)))
    if hours is None:
        return made
    return replace(made, jobs=tuple(job for job in made.jobs if job.submitted_s < hours * HOUR_S))


def policy(file: Path | None, limit: int) -> Policy:
    """Of a file, or the default one for a pool that may have as many machines as its clouds give."""
    if file is None:
        return Policy(max_workers=limit, creations_per_round=CREATIONS)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Rejected.because(f"cannot be read: {error.strerror}", str(file)) from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise Rejected.because(f"is not a TOML file: {error}", str(file)) from error
    try:
        return parse(Policy, content.get("policy", {}))
    except Rejected as error:
        raise Rejected([Mistake(f"{file}: policy.{one.path}", one.message) for one in error.mistakes]) from error


def _check(chosen: argparse.Namespace) -> None:
    mistakes = [
        Mistake(
            "--load", f"there is no {name}; there are {', '.join(LOADS)}, and files that end in {' or '.join(FILES)}"
        )
        for name in chosen.load or ()
        if name not in LOADS and Path(name).suffix not in FILES
    ]
    mistakes += [
        Mistake("--strategy", f"there is no {name}; there are {', '.join(NAMES)}")
        for name in chosen.strategy or ()
        if name not in NAMES
    ]
    mistakes += [
        Mistake(f"--{name}", "must be above 0")
        for name in ("interval", "runtime", "hours")
        if (value := getattr(chosen, name)) is not None and not (value > 0 and math.isfinite(value))
    ]
    if chosen.plot and chosen.plot.suffix not in PLOTS:
        mistakes.append(Mistake("--plot", f"{chosen.plot} must end in {' or '.join(PLOTS)}"))
    if chosen.plot and len(chosen.load or ()) > 1:
        mistakes.append(Mistake("--plot", "takes one load at a time"))
    if mistakes:
        raise Rejected(mistakes)
