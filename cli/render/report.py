"""A month's usage as one HTML page that needs nothing else: no script, nothing fetched. Pure."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Rows = Sequence[Mapping[str, Any]]

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 66em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }
h1 { margin-bottom: .2em; } h2 { margin-top: 2em; }
.sums { display: flex; flex-wrap: wrap; gap: 1em 2.2em; margin-top: 1.5em; }
.sums b { display: block; font-size: 1.6em; line-height: 1.3; }
.plot { display: grid; grid-template-columns: max-content 1fr; column-gap: .6em; }
.scale { display: flex; flex-direction: column; justify-content: space-between; text-align: right; margin: -.7em 0;
         font-size: .8em; color: #555; }
.days { display: flex; align-items: flex-end; gap: 2px; height: 10em; border-bottom: 1px solid #888;
        background: linear-gradient(#ddd 1px, transparent 1px) 0 0 / 100% 50%; }
.days div { flex: 1; background: #2a6fb0; }
.days div.some { min-height: 1px; }
.axis { grid-column: 2; display: flex; gap: 2px; margin-top: .3em; font-size: .7em; color: #555; }
.axis span { flex: 1; min-width: 0; display: flex; justify-content: center; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 52em; table-layout: fixed; }
th, td { text-align: right; padding: .25em 0 .25em .8em; border-bottom: 1px solid #eee; vertical-align: baseline;
         font-variant-numeric: tabular-nums; }
th { font-size: .85em; color: #555; border-bottom-color: #888; }
th:first-child, td:first-child { width: 26%; text-align: left; padding-left: 0; overflow-wrap: anywhere; }
th:last-child { width: 20%; }
td.bar div { background: #2a6fb0; height: .9em; }
@media (max-width: 45em) { .axis span:not(:nth-child(5n)) { visibility: hidden; } }
@media print { .days, .days div, td.bar div { print-color-adjust: exact; } }
"""

_FIGURES = (
    ("jobs", "Jobs", 0),
    ("attempts", "Attempts", 0),
    ("coreHours", "Core hours", 1),
    ("cpuHours", "CPU hours", 1),
    ("serviceUnits", "Service units", 1),
    ("cost", "Cost", 2),
)


def page(month: str, whose: str, by_day: Rows, sections: Mapping[str, Rows]) -> str:
    """month: such as 2026-05. whose: for people. by_day: rows of days. sections: other rows, by their keys."""
    title = escape(f"Usage in {month}")
    parts = [
        f"<h1>{title}</h1><p>{escape(whose)}. Attempts of jobs count on the day that they ended, in UTC.</p>",
        _sums(by_day),
        *([_days(month, by_day)] if by_day else ["<p>Nothing was used in this month.</p>"]),
        *(_section(keys.replace(",", " and "), rows) for keys, rows in sections.items() if rows),
    ]
    return (
        f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def figure(row: Mapping[str, Any], key: str) -> float:
    """A figure of a row; 0 for what is none."""
    value = row.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return max(0.0, float(value)) if is_number else 0.0  # type: ignore[arg-type]  # is_number says so


def _sums(rows: Rows) -> str:
    sums = {key: sum(figure(row, key) for row in rows) for key, _, _ in _FIGURES}
    told = [f"<div><b>{sums[key]:,.{digits}f}</b>{name}</div>" for key, name, digits in _FIGURES]
    if sums["coreHours"]:
        told.append(f"<div><b>{sums['cpuHours'] / sums['coreHours']:.0%}</b>Efficiency</div>")
    return f"<div class='sums'>{''.join(told)}</div>"


def _days(month: str, rows: Rows) -> str:
    hours = {_name(row): figure(row, "coreHours") for row in rows}
    year, _, number = month.partition("-")
    days = [f"{month}-{day:02}" for day in range(1, monthrange(int(year), int(number))[1] + 1)]
    most = max((hours.get(day, 0.0) for day in days), default=0.0)
    bars = (_bar(f"{day}: {hours.get(day, 0.0):.2f}", hours.get(day, 0.0), most) for day in days)
    axis = (f"<span>{int(day[-2:])}</span>" for day in days)
    scale = (f"<span>{part * most:,.1f}</span>" for part in (1, 0.5, 0))
    return (
        "<h2>Core hours by day</h2><div class='plot'>"
        f"<div class='scale'>{''.join(scale)}</div><div class='days'>{''.join(bars)}</div>"
        f"<div class='axis'>{''.join(axis)}</div></div>"
    )


def _bar(title: str, hours: float, most: float) -> str:
    some = "class='some' " if hours else ""
    return f"<div {some}style='height: {_percent(hours, most)}%' title='{title}'></div>"


def _section(name: str, rows: Rows) -> str:
    most = max((figure(row, "coreHours") for row in rows), default=0.0)
    header = "".join(f"<th>{told}</th>" for told in (escape(name.capitalize()), *(told for _, told, _ in _FIGURES), ""))
    lines = (
        f"<tr><td>{escape(_name(row)) or '&ndash;'}</td>"
        + "".join(f"<td>{figure(row, key):,.{digits}f}</td>" for key, _, digits in _FIGURES)
        + f"<td class='bar'><div style='width: {_percent(figure(row, 'coreHours'), most)}%'></div></td></tr>"
        for row in sorted(rows, key=lambda row: -figure(row, "coreHours"))
    )
    return f"<h2>By {escape(name)}</h2><div class='wide'><table><tr>{header}</tr>{''.join(lines)}</table></div>"


def _name(row: Mapping[str, Any]) -> str:
    names = row.get("of")
    return ", ".join(map(str, names)) if isinstance(names, list) else ""


def _percent(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole else 0
