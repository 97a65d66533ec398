"""What setup.cfg says is what is in the folders: a sub-package that it forgets would be missing from the wheel."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", "utf-8")
    return parser


def components(configuration: configparser.ConfigParser) -> dict[str, Path]:
    """Top package -> its folder."""
    pairs = (line.split("=") for line in configuration["options"]["package_dir"].split("\n") if line)
    return {package.strip(): ROOT / folder.strip() for package, folder in pairs}


def test_every_package_is_listed(configuration: configparser.ConfigParser) -> None:
    found = [
        ".".join([package, *init.parent.relative_to(folder).parts])
        for package, folder in components(configuration).items()
        for init in folder.rglob("__init__.py")
    ]
    assert sorted(found) == sorted(configuration["options"]["packages"].split())


def test_every_module_is_in_a_package(configuration: configparser.ConfigParser) -> None:
    lost = [
        module
        for package, folder in components(configuration).items()
        if package != "prominence.images"  # its recipes hold scripts for the images
        for module in folder.rglob("*.py")
        if not (module.parent / "__init__.py").exists()
    ]
    assert lost == []


def test_every_component_says_that_it_is_typed(configuration: configparser.ConfigParser) -> None:
    untyped = [package for package, folder in components(configuration).items() if not (folder / "py.typed").exists()]
    assert untyped == []


def test_type_checkers_see_the_same_folders(configuration: configparser.ConfigParser) -> None:
    links = {f"prominence.{link.name}": link.resolve() for link in (ROOT / ".importroot" / "prominence").iterdir()}
    assert links == components(configuration)


def test_import_contracts_cover_every_component(configuration: configparser.ConfigParser) -> None:
    assert set(configuration["importlinter"]["root_packages"].split()) == set(components(configuration))
