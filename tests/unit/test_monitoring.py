"""What `monitoring/` asks of Prometheus is what docs/monitoring.md says there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from monitoring.kibana.objects import objects, text
from prominence.restapi.usage_index import PROPERTIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
ALERTS = yaml.safe_load((ROOT / "monitoring" / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "monitoring" / "grafana.json").read_text())

_METRIC = re.compile(r"prominence_[a-z_]+")
_MADE_OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


def _documented() -> set[str]:
    found = set()
    for part, rows in re.findall(r"^\| `prominence_(\w+)_\.\.\.` \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        for row in rows.splitlines():
            first = row.split("|")[1]
            found |= {f"prominence_{part}_{name}" for name in re.findall(r"`([a-z_]+)", first)}
    return found


def test_alerts_and_dashboard_ask_for_figures_that_the_page_has() -> None:
    asked = [rule["expr"] for rule in ALERTS]
    asked += [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    names = {_MADE_OF_HISTOGRAMS.sub("", name) for one in asked for name in _METRIC.findall(one)}
    assert len(names) > 20
    assert names - _documented() == set()


def test_the_page_tells_what_to_do_about_each_alert() -> None:
    assert re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_no_two_panels_share_an_id() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_kibanas_objects_are_those_that_are_described() -> None:
    """`python3 -m monitoring.kibana write` makes the file anew."""
    assert (ROOT / "monitoring" / "kibana.ndjson").read_text() == text()


def test_kibanas_objects_ask_for_fields_that_documents_have_and_refer_to_each_other() -> None:
    made = list(objects())
    names = {(one["type"], one["id"]) for one in made}
    assert len(names) == len(made)
    assert {(one["type"], one["id"]) for whole in made for one in whole["references"]} <= names
    fields = set(re.findall(r'"(?:field|timeFieldName)\\*": \\*"(\w+)', text()))
    assert len(fields) > 10
    assert fields <= set(PROPERTIES)


def test_panels_of_a_dashboard_lie_beside_each_other() -> None:
    for one in objects():
        if one["type"] == "dashboard":
            places = [panel["gridData"] for panel in json.loads(one["attributes"]["panelsJSON"])]
            cells = [
                (x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])
            ]
            assert len(set(cells)) == len(cells)
            assert max(x for x, _ in cells) < 48
