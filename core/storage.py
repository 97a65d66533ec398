"""Storage of the user's own that a job's tasks read and write as a directory: where it is, and what it wants to see.

The secret of each kind is said once by the user and shown to nobody again: written as JSON, none of these holds it.
"""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    field_validator,
    model_validator,
)

from prominence.core.credentials import LONGEST_TOKEN, LONGEST_USERNAME
from prominence.core.files import MountedAt, check_address
from prominence.core.plan import HIDDEN
from prominence.core.validation import Spelling, Strict

StorageType = Literal["webdav", "b2drop", "s3", "onedata"]

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_NO_CONTROLS = f"[^{_CONTROLS}]"
_PART = rf"(?!\.{{1,2}}(?:/|$))[^/{_CONTROLS}]+"
_IN_THE_HOME = re.compile(r"/(?:home/user|tmp)/")
_LONGEST_ADDRESS = 2000
_LONGEST_PATH = 700
_TELL_A_TOKEN = re.compile(r"-t|-H|--token|--host|--config")
"""Options of oneclient that say what other fields do, or that would have a secret on a command line."""


def _an_address(url: str) -> str:
    check_address(url)
    return url


Address = Annotated[
    str,
    StringConstraints(max_length=_LONGEST_ADDRESS),
    Spelling(
        rf"[hH][tT][tT][pP][sS]?://[^/?#@\s{_CONTROLS}]+(?:/[^?#\s{_CONTROLS}]*)?",
        "must be an address that begins with http:// or https://, and hold no user, no password, no ? and no #; there "
        "are fields for user and password",
    ),
    AfterValidator(_an_address),
]
Directory = Annotated[
    str,
    StringConstraints(max_length=_LONGEST_PATH),
    Spelling(
        f"/?{_PART}(?:/{_PART})*/?",
        'must be a path on the storage, without "." or "..", // and control characters',
    ),
]
Username = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_USERNAME),
    Spelling(r"[^:\x00-\x1f\x7f-\x9f\u2028\u2029]+", "must hold neither colons nor control characters"),
]
Secret = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_TOKEN),
    Spelling(rf"{_NO_CONTROLS}+", "must not hold control characters, such as a line break"),
    PlainSerializer(lambda _: HIDDEN, return_type=str),
    Field(repr=False, json_schema_extra={"not": {"const": HIDDEN}}),
]


class _Kind(Strict):
    """What one kind of storage wants to know. SECRET: the field that holds what nobody is shown."""

    model_config = ConfigDict(serialize_by_alias=True)
    SECRET: ClassVar[str]

    @property
    def secret(self) -> str:
        return str(getattr(self, self.SECRET))

    @classmethod
    def secret_is_called(cls) -> str:
        """As users write the field."""
        return cls.model_fields[cls.SECRET].alias or cls.SECRET


class WebDav(_Kind):
    """A directory that a server has by WebDAV, such as a Nextcloud."""

    SECRET = "password"

    url: Address = Field(description="Of the directory.")
    username: Username = Field(description="The server's user.")
    password: Secret = Field(description=f"Their password, better one for apps. It is shown as {HIDDEN} from then on.")


class B2Drop(_Kind):
    """EUDAT's B2DROP."""

    SECRET = "app_password"

    app_username: Username = Field(alias="app-username", description="As B2DROP tells it with an app password.")
    app_password: Secret = Field(alias="app-password", description=f"Shown as {HIDDEN} from then on.")


class S3(_Kind):
    """A bucket of any store that speaks S3, or what in it begins with a prefix."""

    SECRET = "secretKey"

    endpoint: Address = Field(description="The store's address.")
    bucket: Annotated[
        str,
        Spelling(
            r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}",
            "must be the name of a bucket: letters (a to z), digits, . _ and - only, 3 to 255 of them",
        ),
    ] = Field(description="Its name.")
    prefix: Directory | None = Field(default=None, description="Of the names; absent: the whole bucket.")
    accessKey: Username = Field(description="The name of the key.")
    secretKey: Secret = Field(description=f"The key. It is shown as {HIDDEN} from then on.")
    region: Annotated[str, Spelling("[A-Za-z0-9-]{1,64}", "must be letters (a to z), digits and - only")] | None = (
        Field(default=None, description="Where the store wants to know it.")
    )


class OneData(_Kind):
    """The spaces of an OneData user, where a worker has OneData's own client."""

    SECRET = "token"

    provider: Annotated[str, Spelling(r"[A-Za-z0-9.-]{1,253}", "must be the name of a host")] = Field(
        description="The host of a provider."
    )
    token: Secret = Field(description=f"An access token. It is shown as {HIDDEN} from then on.")
    options: Annotated[str, Spelling(f"{_NO_CONTROLS}*", "must not hold control characters")] | None = Field(
        default=None, max_length=1000, description="More options for oneclient."
    )

    @field_validator("options")
    @classmethod
    def _can_be_given(cls, options: str | None) -> str | None:
        try:
            words = shlex.split(options or "")
        except ValueError as error:
            raise ValueError(f"cannot be split into words: {error}") from error
        if any(_TELL_A_TOKEN.match(word) for word in words):
            raise ValueError("must say neither provider nor token nor another configuration, which have fields here")
        return options


class Storage(Strict):
    """Where it is, and where tasks see it."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"s3"})

    type: StorageType = Field(description="What it is; the section of this name says more.")
    mountpoint: MountedAt = Field(description="The path at which tasks see it: absolute, outside of home and /tmp.")
    directory: Directory | None = Field(
        default=None,
        description="A directory on the storage that is shown in place of all of it, and made if it is not there. "
        "$PROMINENCE_JOB_ID in it stands for the job's number.",
    )
    default: bool = Field(
        default=False,
        description="Always false: the job's own outputs go where those of all jobs go.",
        json_schema_extra={"const": False},
    )
    webdav: WebDav | None = Field(default=None, description="For the type webdav, which needs it.")
    b2drop: B2Drop | None = Field(default=None, description="For the type b2drop, which needs it.")
    s3: S3 | None = Field(default=None, description="For the type s3, which needs it.")
    onedata: OneData | None = Field(default=None, description="For the type onedata, which needs it.")

    @field_validator("mountpoint")
    @classmethod
    def _is_nobodys_else(cls, path: str) -> str:
        if _IN_THE_HOME.match(path):
            raise ValueError("must be neither in the job's home nor in /tmp; choose another path, such as /data")
        return path

    @field_validator("default")
    @classmethod
    def _is_a_directory_like_others(cls, default: bool) -> bool:
        if default:
            raise ValueError(
                "cannot be true; leave it out, let tasks read and write under the mountpoint, and name what else is "
                "kept in outputFiles and outputDirs"
            )
        return default

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Storage:
        for name in ("webdav", "b2drop", "s3", "onedata"):
            if (getattr(self, name) is None) == (name == self.type):
                needed = f"the type {self.type} needs the section {name}"
                raise ValueError(needed if name == self.type else f"{name} is not for the type {self.type}")
        return self

    @property
    def section(self) -> WebDav | B2Drop | S3 | OneData:
        """That of its type."""
        found: WebDav | B2Drop | S3 | OneData = getattr(self, self.type)
        return found

    def with_secret(self, secret: str) -> Storage:
        """The same with another."""
        section = self.section.model_copy(update={self.section.SECRET: secret})
        return self.model_copy(update={self.type: section})

    def as_written(self) -> dict[str, Any]:
        """As its user writes it, with its secret: to be sent, and shown to nobody."""
        written = self.model_dump(mode="json", exclude_unset=True)
        written[self.type][self.section.secret_is_called()] = self.section.secret
        return written


def without_empty(written: Any) -> Any:
    """A job or workflow without its section `storage` where that is empty: old clients and files write it for none."""
    if isinstance(written, dict) and written.get("storage") == {}:
        return {name: value for name, value in written.items() if name != "storage"}
    return written


def or_empty(schema: dict[str, Any]) -> None:
    """The same in the field's schema."""
    schema["anyOf"].append({"type": "object", "maxProperties": 0})
