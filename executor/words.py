"""What container runtimes say when they fail, put into words for people.

Runtimes tell of their own failures in prose, on the stderr that the task shares. The patterns are those of
Apptainer 1.x, Docker 20 to 29 and Podman 4 to 5 with their init programs.
"""

from __future__ import annotations

import re
from typing import Optional, Tuple

from prominence.core.plan import RegistryCredential
from prominence.core.reasons import Reason

_FULL = (r"no space left on device|disk quota exceeded", Reason.IMAGE_PULL_FAILED, "the worker's disk is full")
_FETCH = (
    _FULL,
    (
        r"toomanyrequests|too many requests|rate limit",
        Reason.IMAGE_UNAVAILABLE,
        "the registry allows no more downloads for now",
    ),
    (
        r"manifest unknown|manifest for \S+ not found|name unknown|repository does not exist|not found: manifest"
        r"|requested access to the resource is denied|no such image|repository \S+ not found",
        Reason.IMAGE_NOT_FOUND,
        "there is no such image, or it needs a password",
    ),
    (
        r"unauthorized|authentication required|no basic auth credentials|forbidden|denied",
        Reason.IMAGE_REFUSED,
        "the registry refused it",
    ),
    (r"no such host", Reason.IMAGE_NOT_FOUND, "there is no registry of that name"),
    (
        r"server gave http response to https client|x509: ",
        Reason.IMAGE_PULL_FAILED,
        "the registry has no certificate that the worker trusts",
    ),
    (
        r"connection refused|i/o timeout|timed? ?out|deadline exceeded|network is unreachable|no route to host"
        r"|connection reset|broken pipe|server misbehaving|temporary failure|unexpected eof|: eof\b|dial tcp|tls: "
        r"|use of closed network connection|short read|status(?: ?code)?:? 50[0234]",
        Reason.IMAGE_UNAVAILABLE,
        "the registry cannot be reached, or breaks off",
    ),
)
_WITH_CREDENTIAL = {
    "there is no such image, or it needs a password": "there is no such image, or the registry refused it with this "
    "imagePullCredential",
    "the registry refused it": "the registry refused it with this imagePullCredential",
}
_LONGEST = 300

# Not compiled before one is needed: that would take each job milliseconds.
_NOT_FOUND = (
    r'FATAL:\s+(?:"[^"]*": executable file not found in \$PATH|stat .*: no such file or directory)'
    r"|\[FATAL tini \(\d+\)\] exec .* failed: No such file or directory"
    r"|executable file not found in \$PATH"
    r"|ERROR \(catatonit:\d+\): failed to exec pid1: No such file or directory"
    r"|crun: executable file `[^`]*` not found"
)
_NOT_EXECUTABLE = (
    r"FATAL:\s+(?:is a directory|permission denied|.*exec format error|.*: permission denied$)"
    r"|\[FATAL tini \(\d+\)\] exec .* failed: (?:Permission denied|Exec format error)"
    r"|ERROR \(catatonit:\d+\): failed to exec pid1: (?:Permission denied|Exec format error)"
    r"|exec: .*: (?:permission denied|is a directory)|exec format error"
)
_NO_WORKDIR = r"failed to set working directory|chdir to cwd"
_FATAL = r"(?m)^FATAL:\s+(.*)$"
_NOT_MADE = r"(?ms)^FATAL:\s+(container creation failed: .*)\Z"
_LINES_OF_HELPERS = 10
"""What Apptainer tells of a helper, such as the one that mounts the image, has as many lines as that has printed."""

NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""The exit codes that a shell gives in these cases."""


def why_not_fetched(text: str, credential: Optional[RegistryCredential] = None) -> Tuple[str, Reason]:
    """Why an image could not be had, from what the runtime said. credential: what it was asked for with."""
    for pattern, reason, words in _FETCH:
        if re.search(pattern, text, re.IGNORECASE):
            return (words if credential is None else _WITH_CREDENTIAL.get(words, words)), reason
    told = text if credential is None else credential.hidden(text)
    return last_line(told) or "the runtime does not say why", Reason.IMAGE_PULL_FAILED


def why_not_loaded(text: str) -> str:
    """Why a runtime could not take an image out of a file, from what it said."""
    pattern, _, words = _FULL
    if re.search(pattern, text, re.IGNORECASE):
        return words
    return f"no image can be made of it ({last_line(text) or 'the runtime does not say why'})"


def why_not_started(program: str, workdir: str, text: str) -> Tuple[int, str]:
    """Why a runtime could not start the command: an exit code and a sentence; (0, "") if that is not what it says.

    program: the command's first word, "" for the image's own. text: what the runtime said last.
    """
    line = last_line(text)
    named = f'the command "{program}"' if program else "the image's own command"
    if re.search(_NO_WORKDIR, line):
        return NOT_EXECUTABLE, f'the working directory "{workdir}" cannot be entered'
    if re.search(_NOT_FOUND, line):
        return NOT_FOUND, f"{named} was not found in the image"
    if re.search(_NOT_EXECUTABLE, line):
        return NOT_EXECUTABLE, f"{named} cannot be executed"
    return 0, ""


def apptainers_own_failure(text: str) -> str:
    """What Apptainer says when it failed itself, "" if it did not."""
    last_lines = "\n".join(text.splitlines()[-_LINES_OF_HELPERS:])
    found = re.findall(_FATAL, last_line(text)) or re.findall(_NOT_MADE, last_lines)
    return " ".join(found[-1].split())[:_LONGEST] if found else ""


def last_line(text: str) -> str:
    """The last line that is not blank, shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-_LONGEST:] if lines else ""
