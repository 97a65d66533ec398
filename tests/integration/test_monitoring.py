"""What `monitoring/` has for Prometheus and Grafana, against a real Prometheus beside a pool's access point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from real_parts import RealPool, until

MONITORING = Path(__file__).parents[2] / "monitoring"
PROMETHEUS = Path("/usr/bin/prometheus")
RANGE = "5m"
ASK = """
import json, sys, time, urllib.error, urllib.parse, urllib.request
def ask(path, **words):
    address = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(words)}"
    for attempt in range(600):
        try:
            return json.load(urllib.request.urlopen(address, timeout=30))["data"]
        except urllib.error.URLError:  # it is being started
            time.sleep(0.1)
    sys.exit("Prometheus does not answer")
print(json.dumps([ask(path, **words) for path, words in json.loads(sys.argv[1])]))
"""


@pytest.fixture
def prometheus(pool: RealPool, engine: docker.DockerClient, tmp_path: Path) -> Iterator[None]:
    """As its page says it is run, on the access point. It reads once a second, and imc where a personal pool has it."""
    settings = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for one in settings["scrape_configs"]:
        one.pop("scrape_timeout", None)
        if one["job_name"] == "imc":
            one["static_configs"] = [{"targets": ["imc-control:9703"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    access_point = engine.containers.get(f"prominence-{pool.name}-access-point")
    server = engine.containers.run(
        access_point.image.id,
        [str(PROMETHEUS), "--config.file=/monitoring/prometheus.yml", "--web.listen-address=127.0.0.1:9090"],
        entrypoint="",
        detach=True,
        network_mode=f"container:{access_point.id}",
        volumes={
            str(PROMETHEUS): {"bind": str(PROMETHEUS), "mode": "ro"},
            str(tmp_path / "prometheus.yml"): {"bind": "/monitoring/prometheus.yml", "mode": "ro"},
            str(MONITORING / "alerts.yml"): {"bind": "/monitoring/alerts.yml", "mode": "ro"},
        },
        tmpfs={"/data": ""},
        working_dir="/data",
    )
    yield
    server.remove(force=True)


def _ask(pool: RealPool, *questions: tuple[str, dict[str, str]]) -> list[Any]:
    found: list[Any] = json.loads(pool.inside("access-point", "/usr/bin/python3", "-c", ASK, json.dumps(questions)))
    return found


def _drawn() -> list[str]:
    """What the dashboard asks, over a short time."""
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(asked) > 30
    return [one.replace("$__rate_interval", RANGE).replace("$__range", RANGE) for one in asked]


def _unanswered(pool: RealPool, queries: list[str]) -> list[str]:
    answers = _ask(pool, *(("query", {"query": one}) for one in queries))
    return [query for query, answer in zip(queries, answers, strict=True) if not answer["result"]]


def test_every_query_of_the_dashboard_has_an_answer_and_every_alert_can_be_reckoned(
    pool: RealPool, prometheus: None, tiny_image: str
) -> None:
    pool.finish(pool.submit({"image": tiny_image, "cmd": "true"}))
    running = pool.submit({"image": tiny_image, "cmd": "sleep 3600"})
    nowhere = pool.submit(
        {"image": tiny_image, "cmd": "true"}, policies={"placement": {"requirements": {"sites": ["mars"]}}}
    )
    until(lambda: not _unanswered(pool, _drawn()), 60, lambda: f"no rows for {_unanswered(pool, _drawn())}")
    [conditions] = _ask(pool, ("query", {"query": "prominence_restapi_part_condition"}))
    metrics = [one["metric"] for one in conditions["result"]]
    parts = pool.request("GET", "/health/parts").json()["parts"]
    disks = {(one["part"], one["condition"]) for one in parts if one["part"].startswith("disk of")}
    assert len(disks) == 3
    assert disks <= {(one["part"], one["condition"]) for one in metrics}, "it sees what the API sees"
    for job in (running, nowhere):
        pool.run("delete", "job", str(job))
    [targets, rules] = _ask(pool, ("targets", {}), ("rules", {}))
    scraped = {(one["labels"]["job"], one["health"]) for one in targets["activeTargets"]}
    assert scraped == {("scaler", "up"), ("imc", "up"), ("restapi", "up")}
    told = {rule["name"]: rule["health"] for group in rules["groups"] for rule in group["rules"]}
    [group] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    assert told == {rule["alert"]: "ok" for rule in group["rules"]}
