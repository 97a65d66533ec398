"""The processes beside the API let hear of them in the shared store, so that one that does not run is missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, Field

from prominence.core import logs
from prominence.core.errors import ProminenceError
from prominence.core.keyvalue.port import KeyValue
from prominence.core.validation import Document

if TYPE_CHECKING:
    from prominence.restapi.services import Services

log = logs.get(__name__)

_BEATS = "/prominence/beats/"


class Beat(Document):
    """It was there at this moment. next_s: so long after that it is heard of again. trouble: of the last round."""

    at: AwareDatetime
    next_s: float = Field(ge=0)
    trouble: str = ""


def of(component: str, services: Services) -> Callable[[float, str], None]:
    """What a process calls after each round. A store that does not answer keeps back nothing."""

    def beat(next_s: float, trouble: str) -> None:
        told = Beat(at=services.clock(), next_s=next_s, trouble=trouble)
        try:
            services.store.put_if(_BEATS + component, told.model_dump_json().encode(), None)
        except ProminenceError as error:
            log.warning("nobody can be told that this process is there", error=str(error))

    return beat


def heard(store: KeyValue) -> dict[str, Beat]:
    """The last of each process, by its name. Raises Unavailable."""
    return {one.key.removeprefix(_BEATS): Beat.model_validate_json(one.value) for one in store.list(_BEATS)}
