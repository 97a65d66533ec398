"""Documents as JSON and YAML."""

from __future__ import annotations

import json
from typing import Any

import yaml


def as_json(document: Any) -> str:
    """The document as JSON that is readable and safe to show: unprintable characters are escaped as JSON does."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def document(content: Any, form: str) -> str:
    """The API's own document, as "json" or "yaml"."""
    if form == "json":
        return as_json(content)
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, default_flow_style=False)
    return text.rstrip("\n")
