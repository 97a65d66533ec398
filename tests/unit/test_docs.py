"""What the documentation names exists: links, paths, modules, make targets, commands with their options, words."""

from __future__ import annotations

import configparser
import importlib
import importlib.machinery
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from prominence.cli.main import command_line
from prominence.cli.pool.containers import mounted_directories
from prominence.cli.pool.layout import Pool
from prominence.core.error_reasons import ErrorReason
from prominence.core.reasons import Reason
from prominence.core.states import Status

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMPONENTS = ("core", "restapi", "scaler", "imc", "executor", "cli", "images")

MADE_WHEN_USED = frozenset({".pool/env", ".venv/bin/activate", "benchmarks/results.json"})
"""Paths that documentation names and no clone holds."""

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:[\w.-]+/)+[\w.*-]*")
_MODULE = re.compile(rf"(?:{'|'.join(COMPONENTS)})(?:\.[A-Za-z_]\w*)+")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    dead = [link for link in _relative_links(page.read_text()) if not _leads_somewhere(page, link)]
    assert dead == []


@every_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = {span for span in _spans(page.read_text()) if _PATH.fullmatch(span)} - MADE_WHEN_USED
    named = {path for path in named if not path.startswith("STATE/") and "NAME" not in path}
    assert sorted(path for path in named if not list(ROOT.glob(path.rstrip("/")))) == []


@every_page
def test_every_place_in_the_state_directory_is_one_that_a_pool_has(page: Path) -> None:
    pool = Pool("demo", Path("/state"))
    own = {pool.settings_file.name, pool.environment_file.name, *(path.name for path in mounted_directories(pool))}
    assert {place for span in _spans(page.read_text()) for place in re.findall(r"^STATE/([\w.]+)", span)} <= own


@every_page
def test_every_module_and_name_in_it_exists(page: Path) -> None:
    if page.name == "settings.md":  # whose keys look like modules
        return
    named = {span.partition("(")[0] for span in _spans(page.read_text())}
    assert sorted(name for name in named if _MODULE.fullmatch(name) and not _can_be_imported(name)) == []


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for code in _code(page.read_text()) for target in re.findall(r"\bmake ([a-z][a-z-]*)", code)}
    assert named <= targets


@every_page
def test_every_command_of_ours_exists_with_its_options(page: Path) -> None:
    mistakes = [mistake for code in _code(page.read_text()) for mistake in _mistakes_in_command(code)]
    assert mistakes == []


@every_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = {span for span in _spans(page.read_text()) if re.fullmatch(r"test_\w+", span)}
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name in named if f"def {name}(" not in tests} == set()


@every_page
def test_every_option_named_alone_is_one_of_ours(page: Path) -> None:
    ours = {option for command in _all_commands(command_line) for option in _options(command)}
    mains = (*ROOT.glob("*/main.py"), ROOT / "imc" / "admin.py", ROOT / "scaler" / "simulate" / "options.py")
    for main in mains:
        ours |= set(re.findall(r'add_argument\("(--[a-z-]+)"', main.read_text()))
    named = {span.split()[0].partition("=")[0] for span in _spans(page.read_text()) if span.startswith("--")}
    assert named <= ours


@every_page
def test_every_reason_word_in_a_table_is_one_that_users_are_shown(page: Path) -> None:
    """Reason words are written as `reason: Word`, so that they can be told from other names."""
    named = set(re.findall(r"`reason: (\w+)`", page.read_text()))
    assert named <= {reason.value for reason in Reason}


def test_the_pages_made_from_the_code_are_current() -> None:
    assert _reference().main(["--check"]) == 0


def test_a_page_that_is_not_current_is_noticed_and_made_anew(tmp_path: Path) -> None:
    reference = _reference()
    assert reference.main(["--check"], tmp_path) == 1
    assert reference.main([], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0
    (tmp_path / "reasons.md").write_text("Queued: soon")
    assert reference.main(["--check"], tmp_path) == 1


def test_every_reason_is_on_the_page_of_reasons() -> None:
    words = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/reasons.md").read_text(), re.MULTILINE)
    assert words == [reason.value for reason in (*Reason, *ErrorReason)]


def test_every_command_with_its_options_is_on_the_page_of_commands() -> None:
    parts = re.split(r"^## (.*)\n", (ROOT / "docs/reference/cli.md").read_text(), flags=re.MULTILINE)
    told = [set(re.findall(r"(?<![\w-])--?[a-z0-9-]+", part)) for part in parts[2::2]]
    commands = [one for one in _all_commands(command_line) if not isinstance(one, click.Group)]
    assert len(told) >= len(commands)
    missing = [command.name for command in commands if not any(_shown(command) <= part for part in told)]
    assert missing == []


def test_the_table_of_status_words_is_that_of_the_api() -> None:
    words = re.findall(r"^\| ([a-z]+) \| [a-z]", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert words == ["status", *(status.value for status in Status)]


def test_every_dependency_has_its_row_and_every_row_its_dependency() -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    wanted = {re.split(r"[<>=~!;\[ ]", line)[0].lower() for line in lines if line and not line.startswith(("%", "#"))}
    rows = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == wanted


@pytest.mark.parametrize("word", ["`no/such/file.py`", "[x](no-such.md)", "`core.nothing`", "`make nothing`"])
def test_what_does_not_exist_would_be_noticed(word: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(word)
    checks = (
        test_every_relative_link_leads_somewhere,
        test_every_path_that_is_named_exists,
        test_every_module_and_name_in_it_exists,
        test_every_make_target_exists,
    )
    assert sum(_fails(check, page) for check in checks) == 1


@pytest.mark.parametrize(
    "code", ["prominence pool up --nothing", "prominence nothing", "$ prominence pool nothing", "prominence run --no"]
)
def test_a_command_that_does_not_exist_would_be_noticed(code: str) -> None:
    assert list(_mistakes_in_command(code)) != []


def _fails(check: object, page: Path) -> bool:
    try:
        check(page)  # type: ignore[operator]  # one of the tests above
    except AssertionError:
        return True
    return False


def _relative_links(text: str) -> list[str]:
    links = [one or other for one, other in _LINK.findall(_BLOCK.sub("", text))]
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not heading or heading in {_anchor(line) for line in re.findall(r"^#+ (.*)$", target.read_text(), re.M)}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _spans(text: str) -> list[str]:
    return _SPAN.findall(_BLOCK.sub("", text))


def _code(text: str) -> list[str]:
    """Code in the text: spans, and the lines of blocks."""
    joined = [block.replace("\\\n", " ") for block in _BLOCK.findall(text)]
    return [*_spans(text), *(line for block in joined for line in block.splitlines())]


def _can_be_imported(name: str) -> bool:
    """Whether it is a module of ours, or something in one."""
    parts = name.split(".")
    found: object = importlib.import_module(f"prominence.{parts[0]}")
    for length, part in enumerate(parts[1:], start=2):
        inner = getattr(found, part, None)
        found = _module("prominence." + ".".join(parts[:length])) if inner is None else inner
    return found is not None


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def _mistakes_in_command(code: str) -> Iterator[str]:
    if not code.removeprefix("$ ").startswith("prominence "):
        return
    words = shlex.split(code.removeprefix("$ ").partition(" | ")[0], comments=True)
    command: click.Command = command_line
    context = click.Context(command, **command.context_settings)
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        inner = command.get_command(context, rest[0])
        if inner is None:
            yield f"no such command: {code}"
            return
        command, rest = inner, rest[1:]
    known = _options(command)
    ours = rest[: rest.index("--")] if "--" in rest else rest
    options = {word.partition("=")[0] for word in ours if word.startswith("-") and word != "-"}
    yield from (f"no such option {option}: {code}" for option in sorted(options - known))


def _options(command: click.Command) -> set[str]:
    parameters = command.get_params(click.Context(command, **command.context_settings))
    return {name for one in parameters for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}


def _shown(command: click.Command) -> set[str]:
    """Its options that help tells of, but for help itself."""
    hidden = {name for one in command.params if getattr(one, "hidden", False) for name in one.opts}
    return _options(command) - hidden - {"-h", "--help"}


def _all_commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command, **command.context_settings)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _all_commands(inner)


def _reference() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("reference", str(ROOT / "scripts" / "reference"))
    spec = importlib.util.spec_from_loader("reference", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_key_is_required_only_where_its_table_is() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\| (required[^|]*?) \|", (ROOT / "docs/settings.md").read_text(), re.M)
    required = {key for key, said in rows if said == "required"}
    assert {"pool.collector", "token_file"} <= required
    assert not [key for key in required if "[]" in key or key.startswith(("clouds.", "etcd_tls.", "joining.", "oidc."))]
    assert ("etcd_tls.ca_file", "required in the table") in rows
    assert ("clouds.NAME.flavours[].name", "required in each") in rows
