"""Settings about who may use the API, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from prominence.core.settings import Settings
from prominence.restapi.identity import Appointments
from prominence.restapi.token_records import TokenLimits


class TokenSettings(Settings):
    """Tokens that users make for their scripts, and logins."""

    most: int = Field(default=50, ge=0, description="Tokens that one user may have at once.")
    longest_days: int = Field(default=365, ge=1, description="Days for which a token may be good.")
    login_s: int = Field(
        default=7 * 86_400,
        ge=60,
        description="Seconds for which a login without an end in it, an opaque token, is remembered after a logout.",
    )

    def limits(self) -> TokenLimits:
        """For the verbs."""
        return TokenLimits(self.most, self.longest_days, self.login_s)


class RoleSettings(Settings):
    """Who is more than a user."""

    operators: tuple[str, ...] = Field(
        default=(), description="Users who may list, hold and remove everybody's jobs, and revoke tokens."
    )
    operator_groups: tuple[str, ...] = Field(
        default=(), description="Groups, by their whole names, whose members are operators."
    )
    managers: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="By group: users who may list, hold and remove the jobs charged to it."
    )

    health_for_all: bool = Field(
        default=False,
        description="Whether every user may ask how the parts of the service are (`prominence doctor`), not operators "
        "alone: for a pool of one person.",
    )

    def appointments(self) -> Appointments:
        """For those who find out who calls."""
        managers = {group: frozenset(users) for group, users in self.managers.items()}
        return Appointments(frozenset(self.operators), frozenset(self.operator_groups), managers)


class OidcSettings(Settings):
    """An OpenID Connect provider whose tokens are accepted."""

    issuer: str = Field(description="Its issuer, exactly as its tokens spell it.")
    audiences: tuple[str, ...] = Field(
        min_length=1, description="A JWT must be for one of these: the name of this service, ids of its clients."
    )
    username_claim: str = Field(
        default="sub",
        description="The claim that is the user's name here. Take one that the provider never gives to somebody else.",
    )
    groups_claim: str = Field(default="groups", description="The claim with the list of the user's groups.")
    entitlements_claim: str = Field(
        default="edu_person_entitlements", description="The claim with the list of the user's entitlements."
    )
    required_entitlements: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="By virtual organisation: the entitlements that its members have, all of them. Each is a group of "
        "its members; who is in none may not use the service. Empty: everybody may whom the provider knows.",
    )
    userinfo: Literal["never", "opaque", "always"] = Field(
        default="never",
        description="When to ask the provider who a token's user is: never, for tokens that are no JWT (of which the "
        "audience is not known), or always, since its JWTs do not say names and groups.",
    )
    remember_s: int = Field(default=300, ge=0, description="Seconds for which its answer to that counts.")
    leeway_s: int = Field(default=30, ge=0, le=300, description="Seconds by which its clock may differ from ours.")
    timeout_s: float = Field(default=5, gt=0, le=30, description="Seconds to wait for its answer.")
    ca_file: Path | None = Field(default=None, description="Certificates to trust for it; absent: the usual ones.")

    @field_validator("required_entitlements")
    @classmethod
    def _ask_for_something(cls, required: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not all(required.values()):
            raise ValueError("each virtual organisation needs one entitlement at least; else everybody were a member")
        return required

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not near):
            raise ValueError("must be an https:// address: its keys come from there")
        return issuer
