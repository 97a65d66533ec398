"""Dashboards of usage for Kibana: written as a file that it imports, or given to it.

    python3 -m monitoring.kibana write      # makes monitoring/kibana.ndjson anew from dashboards.py
    python3 -m monitoring.kibana install --url https://kibana.example.org --api-key-file FILE

In the checkout; needs Python alone.
"""

from __future__ import annotations

import argparse
import base64
import json
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from monitoring.kibana.objects import text

FILE = Path(__file__).parents[1] / "kibana.ndjson"


def install(arguments: argparse.Namespace) -> int:
    """Give them to Kibana, in the place of those that are there; the exit code."""
    space = f"/s/{quote(arguments.space, safe='')}" if arguments.space else ""
    boundary = "prominence-saved-objects"
    disposition = 'Content-Disposition: form-data; name="file"; filename="kibana.ndjson"'
    head = f"--{boundary}\r\n{disposition}\r\nContent-Type: application/ndjson\r\n\r\n"
    request = urllib.request.Request(
        f"{arguments.url.rstrip('/')}{space}/api/saved_objects/_import?overwrite=true",
        data=f"{head}{text(arguments.index)}\r\n--{boundary}--\r\n".encode(),
        headers={"kbn-xsrf": "true", "Content-Type": f"multipart/form-data; boundary={boundary}", **_login(arguments)},
        method="POST",
    )
    try:
        trust = ssl.create_default_context(cafile=arguments.ca_file)
        with urllib.request.urlopen(request, timeout=60, context=trust) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        print(f"Kibana refuses: {error.code} {error.read(2000).decode(errors='replace')}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"Kibana does not answer as it should: {error}", file=sys.stderr)
        return 1
    for one in told.get("errors", ()):
        print(f"not installed: {one.get('type')} {one.get('id')}: {one.get('error', {}).get('type')}", file=sys.stderr)
    print(f"{told.get('successCount', 0)} objects are in Kibana.")
    return 0 if told.get("success") else 1


def _login(arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.api_key_file is not None:
        return {"Authorization": f"ApiKey {arguments.api_key_file.read_text().strip()}"}
    if arguments.user is not None:
        login = f"{arguments.user}:{arguments.password_file.read_text().strip()}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    return {}


def main(words: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m monitoring.kibana", description="Dashboards of usage for Kibana.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("write", help=f"make {FILE.name} anew")
    asked = verbs.add_parser("install", help="give the dashboards to a Kibana, in the place of those that are there")
    asked.add_argument("--url", required=True, help="Kibana's address")
    asked.add_argument("--space", default="", help="the space to put them in; absent: the default one")
    asked.add_argument("--index", default="prominence", help="accounting.elasticsearch.index of the API's settings")
    asked.add_argument("--ca-file", help="certificates to trust; absent: the usual ones")
    asked.add_argument("--api-key-file", type=Path, help="file with an API key, in base64")
    asked.add_argument("--user", help="or a user, ...")
    asked.add_argument("--password-file", type=Path, help="... and the file with their password")
    arguments = parser.parse_args(words)
    if arguments.verb == "write":
        FILE.write_text(text())
        return 0
    if (arguments.user is None) != (arguments.password_file is None):
        parser.error("--user and --password-file belong together")
    return install(arguments)


if __name__ == "__main__":
    sys.exit(main())
