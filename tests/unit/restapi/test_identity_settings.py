"""Settings about who may use the API: what is safe is taken, what is not is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from prominence.restapi.identity import Appointments
from prominence.restapi.identity_settings import OidcSettings, RoleSettings


def oidc(**settings: Any) -> OidcSettings:
    return OidcSettings(**{"issuer": "https://login.example.org/", "audiences": ["us"], **settings})


@pytest.mark.parametrize(
    "issuer", ["https://login.example.org", "https://x/y/", "http://127.0.0.1:80", "http://localhost"]
)
def test_a_provider_is_reached_safely_or_is_on_this_machine(issuer: str) -> None:
    assert oidc(issuer=issuer).issuer == issuer


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": "http://login.example.org"},
        {"issuer": "login.example.org"},
        {"issuer": "https://"},
        {"issuer": "ftp://login.example.org"},
        {"audiences": []},
        {"required_entitlements": {"vo": []}},
        {"userinfo": "perhaps"},
        {"leeway_s": 3600},
    ],
    ids=str,
)
def test_what_would_let_anybody_in_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        oidc(**settings)


def test_roles_are_read_from_lists() -> None:
    settings = RoleSettings(operators=("olga",), operator_groups=("ops",), managers={"physics": ("mia", "max")})
    assert settings.appointments() == Appointments(
        frozenset({"olga"}), frozenset({"ops"}), {"physics": frozenset({"mia", "max"})}
    )
