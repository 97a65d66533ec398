"""What a private registry wants before it gives an image: said once by the user, shown to nobody again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_serializer

from prominence.core.plan import HIDDEN
from prominence.core.validation import Spelling, Strict

LONGEST_USERNAME = 256
LONGEST_TOKEN = 8192
"""Characters. Those that clouds give out have some thousand."""


class ImagePullCredential(Strict):
    """Who fetches the image of a task, and how the registry knows them. Written as JSON it does not hold the token."""

    username: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_USERNAME),
        Spelling(r"[^:\x00-\x1f\x7f]+", "must hold neither colons nor control characters"),
    ] = Field(description="The registry's user.")
    token: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_TOKEN),
        Spelling(r"[^\x00-\x1f\x7f]+", "must not hold control characters, such as a line break"),
    ] = Field(
        repr=False,
        description=f"The user's password or token there. It is shown as {HIDDEN} from then on.",
        json_schema_extra={"not": {"const": HIDDEN}},
    )

    @field_serializer("token")
    def _hidden(self, token: str) -> str:
        return HIDDEN
