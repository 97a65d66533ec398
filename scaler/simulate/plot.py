"""The pools over time as a picture: what waits, and what is paid for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prominence.core.errors import Rejected
from prominence.scaler.simulate.load import HOUR_S
from prominence.scaler.simulate.outcome import Outcome


def plot(title: str, outcomes: Sequence[Outcome], file: Path) -> None:
    """A line for each strategy. Raises Rejected where the file cannot be written."""
    # Only here: it takes a second to load, and most runs draw nothing.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    figure.suptitle(title)
    waiting, paid, machines = figure.subplots(3, 1, sharex=True)
    for outcome in outcomes:
        hours = [sample.at_s / HOUR_S for sample in outcome.samples]
        waiting.plot(hours, [sample.idle_jobs for sample in outcome.samples], label=outcome.strategy)
        (line,) = paid.plot(hours, [sample.cores for sample in outcome.samples])
        paid.plot(hours, [sample.busy_cores for sample in outcome.samples], ":", color=line.get_color())
        machines.plot(hours, [sample.machines for sample in outcome.samples])
    waiting.set_ylabel("idle jobs")
    waiting.set_yscale("symlog")
    waiting.legend()
    paid.set_ylabel("cores: paid, and in use (dotted)")
    machines.set_ylabel("machines")
    machines.set_xlabel("hours")
    try:
        figure.savefig(file)
    except OSError as error:
        raise Rejected.because(f"cannot be written: {error.strerror}", str(file)) from error
