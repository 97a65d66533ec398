"""Importing has no effect and needs no environment: no settings, no home, no configuration of HTCondor."""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import importlib, pkgutil, sys, traceback, warnings
warnings.simplefilter("error")
failed = False
for package in sys.argv[1:]:
    names = [package]
    names += [f"{package}.{m.name}" for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:
            failed = True
            print(name, traceback.format_exc())
sys.exit(failed)
"""


def test_every_module_can_be_imported_with_an_empty_environment(tmp_path: Path) -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    packages = parser["options"]["packages"].split()
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *packages], env={}, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_what_travels_to_a_worker_needs_the_standard_library_only(tmp_path: Path) -> None:
    carried = ["document", "plan", "reasons", "report"]
    program = f"import sys; sys.path[:0] = [{str(ROOT / '.importroot')!r}]; " + "; ".join(
        f"import prominence.core.{name}" for name in carried
    )
    # -S: without site-packages, where everything that must be installed lives.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_every_command_that_is_installed_exists() -> None:
    commands = [entry for entry in entry_points(group="console_scripts") if entry.value.startswith("prominence.")]
    assert commands
    for command in commands:
        assert callable(command.load())
