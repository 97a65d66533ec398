"""The dashboards as Kibana's saved objects, in the shape of its 8th version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from monitoring.kibana.dashboards import DASHBOARDS, TIME, Metric, Over, Panel

_HOURS = {"id": "duration", "params": {"inputFormat": "milliseconds", "outputFormat": "asHours", "outputPrecision": 1}}
_MINUTES = {"id": "duration", "params": {**_HOURS["params"], "outputFormat": "asMinutes"}}  # type: ignore[dict-item]
_FORMATS = {
    **{f"Prominence{name}Ms": _HOURS for name in ("Wall", "Core", "Cpu", "Units")},
    "ProminenceWaitMs": _MINUTES,
    "ProminenceEfficiency": {"id": "percent", "params": {"pattern": "0.0%"}},
    "ProminenceCost": {"id": "number", "params": {"pattern": "0,0.00"}},
}
_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON.index"
_WIDTH, _HEIGHT = 48, 15
_KINDS = {"table": "table", "bars": "histogram", "lines": "line", "pie": "pie"}

Object = dict[str, Any]


def objects(index: str = "prominence") -> Iterator[Object]:
    """Kibana's saved objects: what the indices are, the panels, the dashboards. index: what the indices begin with."""
    view = f"{index}-usage"
    yield _object(
        "index-pattern",
        view,
        "8.0.0",
        {
            "title": f"{view}-*",
            "name": f"Usage ({index})",
            "timeFieldName": TIME,
            "fieldFormatMap": json.dumps(_FORMATS),
            "fields": "[]",
        },
    )
    for name, panels in DASHBOARDS.items():
        made = [_visualization(panel, f"{view}-{_slug(name)}-{at}", view) for at, panel in enumerate(panels, start=1)]
        yield from made
        yield _dashboard(name, index, panels, [one["id"] for one in made])


def _visualization(panel: Panel, name: str, view: str) -> Object:
    aggregations = [_aggregation(at, metric) for at, metric in enumerate(panel.metrics, start=1)]
    first = len(panel.metrics) + 1
    aggregations += [_bucket(at, over, panel) for at, over in enumerate(panel.over, start=first)]
    state = {"title": panel.title, "type": _KINDS[panel.kind], "aggs": aggregations, "params": _looks(panel)}
    query = "" if panel.only is None else ": ".join(panel.only)
    source = {"query": {"query": query, "language": "kuery"}, "filter": [], "indexRefName": _SOURCE}
    return _object(
        "visualization",
        name,
        "8.5.0",
        {
            "title": panel.title,
            "description": "",
            "visState": json.dumps(state),
            "uiStateJSON": "{}",
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source)},
        },
        [{"name": _SOURCE, "type": "index-pattern", "id": view}],
    )


def _aggregation(number: int, metric: Metric) -> Object:
    told: Object = {"customLabel": metric.label}
    if metric.field:
        told["field"] = metric.field
    if metric.of == "percentiles":
        told["percents"] = [50, 95]
    return {"id": str(number), "enabled": True, "type": metric.of, "schema": "metric", "params": told}


def _bucket(number: int, over: Over, panel: Panel) -> Object:
    is_last = over is panel.over[-1]
    schema = {"table": "bucket", "pie": "segment"}.get(panel.kind)
    schema = schema or ("group" if is_last and len(panel.over) > 1 else "segment")
    told: Object = {"field": over.field}
    if over.field == TIME:
        kind = "date_histogram"
        told |= {"interval": "auto", "min_doc_count": 1, "extended_bounds": {}, "useNormalizedEsInterval": True}
    elif over.step:
        kind = "histogram"
        told |= {"interval": over.step, "min_doc_count": 1, "extended_bounds": {}}
    else:
        kind = "terms"
        told |= {"size": over.most, "orderBy": "1", "order": "desc", "otherBucket": True, "otherBucketLabel": "others"}
        told |= {"missingBucket": False, "missingBucketLabel": "none"}
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": told}


def _looks(panel: Panel) -> Object:
    if panel.kind == "table":
        less = dict.fromkeys(("showPartialRows", "showMetricsAtAllLevels", "showTotal"), False)
        return {"perPage": 10, **less, "totalFunc": "sum"}
    legend = {"addTooltip": True, "addLegend": True, "legendPosition": "right"}
    if panel.kind == "pie":
        return {"type": "pie", **legend, "isDonut": True, "labels": {"show": True, "values": True, "last_level": True}}
    shape = _KINDS[panel.kind]
    labels = {"show": True, "filter": True, "truncate": 100}
    across = {"id": "CategoryAxis-1", "type": "category", "position": "bottom", "show": True, "labels": labels}
    up = {"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "left", "show": True}
    series = [
        {
            "show": True,
            "type": shape,
            "mode": "stacked" if panel.kind == "bars" else "normal",
            "data": {"id": str(at), "label": metric.label},
            "valueAxis": "ValueAxis-1",
            "drawLinesBetweenPoints": True,
            "lineWidth": 2,
            "showCircles": True,
        }
        for at, metric in enumerate(panel.metrics, start=1)
    ]
    linear = {"style": {}, "scale": {"type": "linear", "mode": "normal"}, "title": {}}
    return {
        "type": shape,
        "grid": {"categoryLines": False},
        "categoryAxes": [{**across, **linear}],
        "valueAxes": [{**up, **linear, "labels": labels, "title": {"text": panel.metrics[0].label}}],
        "seriesParams": series,
        **legend,
        "times": [],
        "addTimeMarker": False,
        "labels": {},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _dashboard(name: str, index: str, panels: Sequence[Panel], ids: Sequence[str]) -> Object:
    shown, references = [], []
    across = down = 0
    for at, (panel, one) in enumerate(zip(panels, ids, strict=True), start=1):
        width = _WIDTH if panel.wide else _WIDTH // 2
        if across + width > _WIDTH:
            across, down = 0, down + _HEIGHT
        place = {"x": across, "y": down, "w": width, "h": _HEIGHT, "i": str(at)}
        across += width
        shown.append(
            {
                "type": "visualization",
                "panelIndex": str(at),
                "gridData": place,
                "embeddableConfig": {"enhancements": {}},
                "panelRefName": f"panel_{at}",
            }
        )
        references.append({"name": f"{at}:panel_{at}", "type": "visualization", "id": one})
    options = {"useMargins": True, "syncColors": False, "hidePanelTitles": False}
    source = {"query": {"query": "", "language": "kuery"}, "filter": []}
    return _object(
        "dashboard",
        f"{index}-usage-{_slug(name)}",
        "8.7.0",
        {
            "title": f"{index}: {name.lower()}",
            "description": "",
            "panelsJSON": json.dumps(shown),
            "optionsJSON": json.dumps(options),
            "version": 1,
            "timeRestore": True,
            "timeFrom": "now-30d",
            "timeTo": "now",
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source)},
        },
        references,
    )


def _object(kind: str, name: str, version: str, attributes: Object, references: Sequence[Object] = ()) -> Object:
    return {
        "type": kind,
        "id": name,
        "attributes": attributes,
        "references": list(references),
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": version,
    }


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def text(index: str = "prominence") -> str:
    """As a file that Kibana imports: an object in each line."""
    return "".join(f"{json.dumps(one)}\n" for one in objects(index))
