"""Identities by several kinds of tokens: each is asked in turn whether a token is one of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from prominence.core import logs
from prominence.core.errors import Unauthenticated, Unavailable
from prominence.core.keyvalue.port import KeyValue
from prominence.restapi import token_records
from prominence.restapi.identity import Appointments, Identity
from prominence.restapi.ports import Identities, NotOurs
from prominence.restapi.recent import Recent

log = logs.get(__name__)

GRACE_S = 600
"""For so long a caller is still known when nobody can be asked whether their token is still good."""

_MOST = 10_000


class TokenChain:
    """Finds out who calls, that they have not logged out, and what they have been appointed to.

    clock: Unix epoch; with it a token that is remembered ends when it should.
    """

    def __init__(
        self,
        kinds: Sequence[Identities],
        store: KeyValue,
        appointments: Appointments,
        clock: Callable[[], float],
    ) -> None:
        self._kinds, self._store, self._appointments, self._clock = kinds, store, appointments, clock
        self._recent: Recent[Identity] = Recent(GRACE_S, _MOST, clock)

    def who(self, token: str) -> Identity:
        digest = token_records.digest(token)
        try:
            found = self._find(token, digest)
        except Unauthenticated:
            self._recent.forget(digest)
            raise
        except Unavailable as error:
            remembered = self._recent.get(digest)
            if remembered is None or (remembered.expires is not None and remembered.expires <= self._clock()):
                raise
            log.warning("a caller is known from before", user=remembered.user, error=str(error))
            return remembered
        self._recent.put(digest, found)
        return found

    def _find(self, token: str, digest: str) -> Identity:
        caller = self._ask(token)
        if caller.login:
            if token_records.login_has_ended(self._store, digest):
                raise Unauthenticated("Somebody has logged out with this token; log in again.")
            caller = replace(caller, token=digest)
        return self._appointments.appoint(caller)

    def _ask(self, token: str) -> Identity:
        for kind in self._kinds:
            try:
                return kind.who(token)
            except NotOurs:
                continue
        raise Unauthenticated("The token is not one that this service knows.")
