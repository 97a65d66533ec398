"""What `monitoring/` asks of Prometheus is what docs/monitoring.md says there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

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
