"""A task that counts, and goes on from where its checkpoint was."""

from __future__ import annotations


def counting(to: int) -> str:
    """The command: it keeps how far it is in state/n, and says where it begins and what it has reached."""
    script = (
        "n=$(cat state/n 2>/dev/null || echo 0); echo from $n restart=$PROMINENCE_RESTART; mkdir -p state; "
        f"while [ $n -lt {to} ]; do n=$((n+1)); echo $n > state/n.new; mv state/n.new state/n; sleep 1; "
        "echo at $n; done"
    )
    return "sh -c " + repr(script)


def begun(output: str) -> list[str]:
    """What it has said of each start."""
    return [line for line in output.splitlines() if line.startswith("from ")]
