"""What clouds answer, in our errors: a table of texts for each kind of cloud, statuses for the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    ProminenceError,
    QuotaExceeded,
    Unavailable,
)

Table = Sequence[tuple[type[ProminenceError], re.Pattern[str]]]

_LONGEST = 300


def _table(*rows: tuple[type[ProminenceError], str]) -> Table:
    return tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in rows)


EC2 = _table(
    (
        OutOfCapacity,
        r"^(Server\.)?(Insufficient\w*Capacity|InsufficientFreeAddressesInSubnet|SpotMaxPriceTooLow|Unsupported"
        r"|IdempotentInstanceTerminated|SpotInstance(Termination|Shutdown))\b",
    ),
    (
        QuotaExceeded,
        r"^(Client\.)?(InstanceLimitExceeded|VcpuLimitExceeded|MaxSpotInstanceCountExceeded|VolumeLimitExceeded"
        r"|ResourceLimitExceeded|AddressLimitExceeded|NetworkInterfaceLimitExceeded|ResourceCountLimitExceeded)\b",
    ),
    (
        CredentialsRefused,
        r"^(AuthFailure|UnauthorizedOperation|InvalidClientTokenId|SignatureDoesNotMatch|OptInRequired|Blocked"
        r"|PendingVerification|RequestExpired|MissingAuthenticationToken|ExpiredToken|AccessDenied\w*)\b",
    ),
    (NoSuchImage, r"^InvalidAMIID\.\w+"),
    (NoSuchFlavour, r"^InvalidInstanceType\b|^InvalidParameterValue: .*instance ?type"),
    (
        Unavailable,
        r"^(RequestLimitExceeded|Throttling\w*|ServiceUnavailable|Unavailable|InternalError|InternalFailure"
        r"|IdempotentParameterMismatch|Server\.InternalError)\b",
    ),
)
"""The codes of AWS's reference, which stand before the colon. Unsupported: not in any zone that was asked for.
IdempotentInstanceTerminated: the machine that this very request has made is gone; one of another flavour is another."""

GOOGLE = _table(
    (Unavailable, r"rateLimitExceeded|RATE_LIMIT|backendError|resourceNotReady|is not ready|not done within"),
    (QuotaExceeded, r"QUOTA_EXCEEDED|quotaExceeded|^Quota '|\bquota\b.*exceeded"),
    (
        OutOfCapacity,
        r"RESOURCE_POOL_EXHAUSTED|STOCKOUT|resource_availability|does not have enough resources|IP_SPACE_EXHAUSTED",
    ),
    (
        CredentialsRefused,
        r"invalid_grant|invalid jwt|authError|PEM key|check your credentials|accessNotConfigured"
        r"|insufficientPermissions|^forbidden\b|^required\b",
    ),
    (NoSuchImage, r"/images/.*(was not found|not accessible)|sourceImage"),
    (NoSuchFlavour, r"/machineTypes/.*was not found|\.machineType\b|machine type .* does not exist"),
)
"""The reason or the operation's code, and then the text."""

AZURE = _table(
    (
        Unavailable,
        r"^\[(TooManyRequests|ServerTimeout|GatewayTimeout|InternalServerError|InternalExecutionError|ServiceUnavailable"
        r"|Conflict|RetryableError\w*|AnotherOperationInProgress|OperationPreempted)\]|AADSTS9003[34]\b",
    ),
    (
        QuotaExceeded,
        r"QuotaExceeded|exceeding approved \S.* quota|exceeds? .*\bquota\b|CountLimitReached|LimitExceeded\]",
    ),
    (
        OutOfCapacity,
        r"^\[((Zonal)?AllocationFailed|Overconstrained(Zonal)?AllocationRequest|AllocationTimedOut|SkuNotAvailable"
        r"|SubnetIsFull)\b",
    ),
    (
        CredentialsRefused,
        r"AADSTS\d+|^\[(AuthorizationFailed|LinkedAuthorizationFailed|AuthenticationFailed\w*|InvalidAuthenticationToken\w*"
        r"|ExpiredAuthenticationToken|(ReadOnly)?DisabledSubscription|SubscriptionNotFound|RequestDisallowedByPolicy)\]",
    ),
    (NoSuchImage, r"^\[\w*Image\w*NotFound\]|NotFound\].*/(galleries|images)/|^\[InvalidParameter\].*imageReference"),
    (NoSuchFlavour, r"^\[\w+\].*\b(VM size|vmSize)\b|^\[InvalidVMSize\]"),
)
"""The code in brackets, and then the text."""

OPENSTACK = _table(
    (QuotaExceeded, r"quota (was )?exceeded|quota.*exceeded|exceed\w* .*quota"),
    (OutOfCapacity, r"no valid host|insufficient compute resources|not enough .* available|no more ip addresses"),
    (NoSuchImage, r"\bimage\b.*(not be found|not found|is not active|is unacceptable)|can not find requested image"),
    (NoSuchFlavour, r"\bflavou?r\b.*(not be found|not found)|invalid flavorref"),
)
"""Of Nova, Neutron and Glance: as an answer, or as the fault of a machine that did not come to be."""

IM = (
    *OPENSTACK,  # first: its quotas are "Forbidden", too
    *_table(
        (
            CredentialsRefused,
            r"invalid InfrastructureManager credentials|check the credentials|auth data|credentials provided"
            r"|unauthori[sz]ed|authentication|AuthFailure|InvalidClientTokenId|access denied|forbidden|token.*expired",
        ),
        (QuotaExceeded, r"LimitExceeded|QuotaExceeded|limit.*(reached|exceeded)"),
        (OutOfCapacity, r"Insufficient\w*Capacity|out of capacity|not enough (capacity|resources)|ZONE_RESOURCE_POOL"),
        (NoSuchFlavour, r"no (compatible |suitable )?(instance[ _]type|flavou?r|size)\b|instance type not found"),
        (NoSuchImage, r"InvalidAMIID|incorrect image|image\b.*(not (be )?found|does not exist|has to have the format)"),
        (Unavailable, r"timed? ?out|connection (refused|reset|aborted)|max retries exceeded|temporarily unavailable"),
    ),
)
"""Of an Infrastructure Manager, which hands on what the cloud behind it has said, within a sentence of its own."""

SLURM = _table(
    (
        Unavailable,
        r"unable to contact slurm controller|socket timed out|zero bytes were transmitted|unexpected message received"
        r"|connection (refused|reset|closed|timed out)|could not resolve|no route to host|network is unreachable"
        r"|temporarily unable to accept|temporarily unavailable|protocol authentication error|kex_exchange"
        r"|slurm backup controller in standby|munge encode failed|timed out during banner|operation timed out",
    ),
    (
        CredentialsRefused,
        r"permission denied|host key verification failed|no .*host key is known|invalid account|invalid user"
        r"|user's group not permitted|access denied|access/permission denied|not authori[sz]ed|too many authentication",
    ),
    (
        QuotaExceeded,
        r"violates accounting/qos policy|\w*Max(Submit|Jobs|Cpu|TRES|Node|Wall|Mem|GRES|Grp)\w*|job count limit"
        r"|maximum number of jobs|limit.*(reached|exceeded)",
    ),
    (
        NoSuchFlavour,
        r"invalid partition|invalid qos|invalid feature|invalid generic resource|invalid reservation"
        r"|requested (node configuration is not available|time limit is invalid|reservation is invalid)"
        r"|(cpu count per node|memory specification) can not be satisfied|more processors requested than permitted"
        r"|invalid (tres|gres)|unavailable reservation|reservation.*invalid",
    ),
    (OutOfCapacity, r"requested partition configuration not available now|required node not available|partition.*down"),
)
"""Of Slurm's commands, and of the SSH that they go through."""


def of_answer(table: Table, text: str, status: int | None) -> ProminenceError:
    """The error for what a cloud said. status: HTTP's, where there was one."""
    short = _short(text)
    for kind, pattern in table:
        if pattern.search(text):
            return kind(short)
    if status == 401:
        return CredentialsRefused(short)
    if status == 403:
        return CredentialsRefused(f"this is not allowed: {short}")
    if status is not None and (status in (408, 409, 413, 425, 429) or status >= 500):
        return Unavailable(short)
    return CloudError(short)


def _short(text: str) -> str:
    """In one line, of a length that somebody reads."""
    plain = " ".join(text.split())
    plain = "".join(character if character.isprintable() else "?" for character in plain)
    return (plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "...") or "the cloud refuses and says nothing"
