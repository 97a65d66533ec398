"""The description of the API as one page for people: plain HTML that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from prominence.restapi.wording import Wording

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }
code, .path { font-family: monospace; }
section { border-top: 1px solid #ccc; margin-top: 1.5em; }
table { border-collapse: collapse; margin: .5em 0; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2em .8em .2em 0; border-bottom: 1px solid #eee; }
td { overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; }
h3 { margin-bottom: 0; }
"""


def render(description: Mapping[str, Any]) -> str:
    """The page for a description in OpenAPI, as `openapi` makes it."""
    info, base = description["info"], description["servers"][0]["url"]
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>",
        f"<p>All addresses begin with <code>{escape(base)}</code>. <a href='openapi.json'>openapi.json</a> has the same"
        " for programs.</p>",
        _contents(description),
        *(_noun(tag["name"], description) for tag in description["tags"]),
        "<h2>Schemas</h2>",
        *(_schema(name, schema) for name, schema in description["components"]["schemas"].items()),
    ]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _operations(description: Mapping[str, Any]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _contents(description: Mapping[str, Any]) -> str:
    rows = [
        [f"<a href='#{escape(one['operationId'])}'><code>{method} {escape(path)}</code></a>", escape(one["summary"])]
        for method, path, one in _operations(description)
    ]
    return _table(("operation", "what it does"), rows)


def _noun(noun: str, description: Mapping[str, Any]) -> str:
    own = [one for one in _operations(description) if noun in one[2]["tags"]]
    return f"<h2>{escape(noun)}</h2>{''.join(_operation(*one) for one in own)}"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody")
    parameters = [
        [_code(one["name"]), one["in"], _type(one["schema"]), escape(one["description"])]
        for one in operation["parameters"]
    ]
    answers = [
        [status, escape(answer["description"]), _bodies(answer), ", ".join(map(_code, answer.get("headers", ())))]
        for status, answer in operation["responses"].items()
    ]
    return (
        f"<section id='{escape(operation['operationId'])}'><h3 class='path'>{method} {escape(path)}</h3>"
        f"<p>{escape(operation['summary'])}. {_access(operation)}</p>"
        + (_table(("parameter", "in", "type", "meaning"), parameters) if parameters else "")
        + (f"<p>Body: {_bodies(body)}</p>" if body else "")
        + f"{_table(('status', 'meaning', 'body', 'headers'), answers)}</section>"
    )


def _access(operation: Mapping[str, Any]) -> str:
    asked = [(scheme, scopes) for one in operation["security"] for scheme, scopes in one.items()]
    if not asked:
        return "Needs no token."
    [(scheme, scopes)] = asked
    good = f", good for {', '.join(map(_code, scopes))}" if scopes else ""
    return f"Needs a token ({_code(scheme)}){good}."


def _bodies(body: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{_type(content['schema'])} ({_code(media_type)})" for media_type, content in body.get("content", {}).items()
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        [_code(field), _type(one), "required" if field in required else "", escape(one.get("description", ""))]
        for field, one in schema.get("properties", {}).items()
    ]
    fields = _table(("field", "type", "", "meaning"), rows) if rows else f"<p>{_type(schema)}</p>"
    return (
        f"<section id='schema-{escape(name)}'><h3>{escape(name)}</h3>"
        f"<p>{escape(schema.get('description', ''))}</p>{fields}</section>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """In a few words, with a link where it has a name."""
    limits = _WORDING.limits(schema)
    return _WORDING.kind(schema) + (f" ({limits})" if limits else "")


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


_WORDING = Wording(
    link=lambda name: f"<a href='#schema-{escape(name)}'>{escape(name)}</a>",
    code=_code,
    text=escape,
)
