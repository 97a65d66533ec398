"""`make bench`: each subject is a module here with a function `rows`; a new one is added to SUBJECTS."""

from __future__ import annotations

import argparse
import importlib

from benchmarks.harness import publish

SUBJECTS = ("journey",)


def main() -> None:
    """Measure all subjects, or one."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", choices=SUBJECTS, help="one subject alone (make bench ONLY=name)")
    only = parser.parse_args().only
    found = []
    for subject in [only] if only else SUBJECTS:
        found += importlib.import_module(f"benchmarks.{subject}").rows()
    publish(found)


if __name__ == "__main__":
    main()
