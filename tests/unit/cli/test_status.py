"""`prominence status`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
import yaml
from builders_cli import NOON, FakeApi, refusing, run_command
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.render.pool import description_of_pool

AMOUNT = {"cpus": 4, "memory": 8.0, "disk": 40.0, "gpus": 0}
POOL = {
    "asOf": NOON,
    "parts": [{"part": "queue", "seen": True, "readAt": NOON}, {"part": "collector", "seen": False, "readAt": NOON}],
    "waiting": {"jobs": 41, "yours": 40, "reasons": [{"reasonCode": "PoolLimitReached", "jobs": 41, "yours": 40}]},
    "workers": [{"phase": "launched", "workers": 1}, {"phase": "registered", "workers": 2}],
    "limit": 3,
    "room": {"capacity": {**AMOUNT, "cpus": 8}, "free": {**AMOUNT, "memory": 1.5}},
    "clouds": [
        {
            "name": "docker",
            "workers": 3,
            "limit": 10,
            "trouble": "the daemon is away",
            "retryAt": NOON + 60,
            "flavours": [
                {
                    "name": "small",
                    "size": AMOUNT,
                    "price": 0.5,
                    "walltime": 51,
                    "start": {"least": 8, "most": 14, "seen": 2},
                }
            ],
        }
    ],
    "actions": [{"act": "create", "worker": "w-3", "cloud": "docker", "flavour": "small"}],
}


def status(document: Any, *words: str) -> Result:
    return run_command(FakeApi(instead=deque([refusing(200, document)])), "status", *words)


def test_facts_reasons_and_flavours_are_shown() -> None:
    result = status(POOL)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "As of           2023-11-14 22:13:20",
        "Not seen        collector (last at 2023-11-14 22:13:20)",
        "Waiting         41 jobs, 40 of them yours",
        "Workers         1 launched, 2 registered; 3 may exist",
        "Free            4 of 8 cores, 1.5 of 8.0 GB memory, 40.0 of 40.0 GB disk",
        "Cloud docker    3 of 10 workers; the daemon is away; tried again at 2023-11-14 22:14:20",
        "",
        "WAIT FOR           JOBS   YOURS",
        "PoolLimitReached   41     40",
        "",
        "CLOUD    FLAVOUR   REGION   CPUS   MEMORY   DISK   GPUS",
        "docker   small              4      8.0      40.0   0",
    ]


def test_wide_tells_prices_starts_and_what_was_done() -> None:
    lines = status(POOL, "-o", "wide").stdout.splitlines()
    assert lines[11].split() == ["docker", "small", "4", "8.0", "40.0", "0", "0.5", "51", "8", "to", "14", "s"]
    assert lines[-1].split() == ["create", "w-3", "docker", "small"]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_apis_own(form: str, read: Any) -> None:
    assert read(status(POOL, "-o", form).stdout) == POOL


def test_a_pool_of_which_nothing_is_known_is_told_as_such() -> None:
    lines = status({"trouble": "Nothing is heard of the scaler.", "parts": [{"part": "queue", "seen": False}]}).stdout
    assert lines.splitlines() == [
        "As of           never",
        "Trouble         Nothing is heard of the scaler.",
        "Not seen        queue",
    ]


def test_an_empty_pool_has_no_workers() -> None:
    assert "Workers         none; 3 may exist" in status({"workers": [], "limit": 3}).stdout.splitlines()


keys = st.sampled_from([*POOL, *AMOUNT, "jobs", "reasons", "reasonCode", "name", "flavours", "size", "free", "notes"])
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda one: st.dictionaries(keys, one) | st.lists(one, max_size=3),
)


@given(st.dictionaries(keys, anything), st.booleans())
def test_no_answer_breaks_it_or_commands_the_terminal(document: dict[str, Any], wide: bool) -> None:
    assert all(line.isprintable() for line in description_of_pool(document, wide).split("\n"))
