from __future__ import annotations

import json
from pathlib import Path

import pytest

from prominence.executor.broker.settings import BadSettings, Settings, load


def loaded(tmp_path: Path, values: object, **environment: str) -> Settings:
    file = tmp_path / "broker.json"
    file.write_text(json.dumps(values))
    return load({"PROMINENCE_BROKER_CONFIG": str(file), **environment})


def test_a_file_is_enough(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"pool": "p", "worker": "w", "tasks_dir": "/t", "cpus": 4})
    assert (settings.pool, settings.worker, settings.tasks_dir, settings.cpus) == ("p", "w", "/t", 4)


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"pool": "p"}, PROMINENCE_BROKER_POOL="q", PROMINENCE_BROKER_UID_MIN="20001")
    assert (settings.pool, settings.uid_min) == ("q", 20001)


def test_without_a_file_the_environment_is_enough(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert load({"PROMINENCE_BROKER_CONFIG": missing, "PROMINENCE_BROKER_POOL": "p"}).pool == "p"


def test_jobs_have_no_docker_and_no_network_unless_somebody_says_so() -> None:
    settings = Settings(pool="p")
    assert (settings.docker_socket, settings.task_network) == ("", "none")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "pool: missing"),
        ([], "not an object"),
        ({"pool": "p", "privileged": True}, "there is no setting privileged"),
        ({"pool": 1}, "pool: text is needed"),
        ({"pool": "p", "cpus": "many"}, "cpus: a whole number is needed"),
        ({"pool": "p", "uid_min": 0}, "root may not have a session"),
        ({"pool": "p", "tasks_dir": "tasks"}, "tasks_dir: not an absolute path"),
        ({"pool": "p", "task_network": "host"}, "task_network"),
        ({"pool": "p", "task_network": "container:x"}, "task_network"),
        ({"pool": "p", "worker_network": "bridge"}, "worker_network"),
        ({"pool": "p", "nodes_gid": 0}, "nodes_gid"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, values: object, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        loaded(tmp_path, values)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "broker.json"
    file.write_text("pool = p")
    with pytest.raises(BadSettings, match="broker.json"):
        load({"PROMINENCE_BROKER_CONFIG": str(file)})
