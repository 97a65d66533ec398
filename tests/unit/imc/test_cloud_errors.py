"""Clouds' texts as our errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.imc.adapters.cloud_errors import AZURE, EC2, GOOGLE, IM, OPENSTACK, of_answer


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("403 Forbidden Quota exceeded for instances: Requested 1, but already used 10 of 10", 403, QuotaExceeded),
        ("403 Forbidden Quota exceeded for cores, ram: Requested 8, 16384", 403, QuotaExceeded),
        ("413 Request Entity Too Large VolumeSizeExceedsAvailableQuota: gigabytes quota exceeded", 413, QuotaExceeded),
        ("No valid host was found. ", None, OutOfCapacity),
        ("No valid host was found. There are not enough hosts available.", None, OutOfCapacity),
        ("Exceeded maximum number of retries. Insufficient compute resources: Free memory 1 MB", None, OutOfCapacity),
        ("400 Bad Request Can not find requested image", 400, NoSuchImage),
        ("400 Bad Request Image 1f2e could not be found.", 400, NoSuchImage),
        ("404 Not Found Flavor 77 could not be found.", 404, NoSuchFlavour),
        ("401 Unauthorized The request you have made requires authentication.", 401, CredentialsRefused),
        ("403 Forbidden Policy doesn't allow os_compute_api:servers:create to be performed.", 403, CredentialsRefused),
        ("429 Rate limit exceeded", 429, Unavailable),
        ("503 Service Unavailable", 503, Unavailable),
        ("400 Bad Request User data too large.", 400, CloudError),
    ],
)
def test_openstack(text: str, status: int | None, kind: type[Exception]) -> None:
    assert type(of_answer(OPENSTACK, text, status)) is kind


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("InsufficientInstanceCapacity: We currently do not have sufficient m5.large capacity", 500, OutOfCapacity),
        ("Server.InsufficientInstanceCapacity: Insufficient capacity", None, OutOfCapacity),
        ("IdempotentInstanceTerminated: The client token was used for an instance that is gone", 400, OutOfCapacity),
        ("SpotMaxPriceTooLow: Your Spot request price of 0.01 is lower", 400, OutOfCapacity),
        ("VcpuLimitExceeded: You have requested more vCPU capacity than your limit of 32", 400, QuotaExceeded),
        ("AuthFailure: AWS was not able to validate the provided access credentials", 401, CredentialsRefused),
        ("UnauthorizedOperation: You are not authorized", 403, CredentialsRefused),
        ("InvalidAMIID.NotFound: The image id '[ami-1]' does not exist", 400, NoSuchImage),
        ("InvalidParameterValue: Invalid value 'm9.huge' for InstanceType.", 400, NoSuchFlavour),
        ("InvalidParameterValue: something else", 400, CloudError),
        ("RequestLimitExceeded: Request limit exceeded.", 503, Unavailable),
        ("", 502, Unavailable),
    ],
)
def test_ec2(text: str, status: int | None, kind: type[Exception]) -> None:
    assert type(of_answer(EC2, text, status)) is kind


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("Error Creating Inf.: Error adding VMs: 403 Forbidden Quota exceeded for cores", 400, QuotaExceeded),
        ("Error adding VMs: An error occurred (VcpuLimitExceeded) when calling the RunInstances", 400, QuotaExceeded),
        ("Error adding VMs: No valid host was found. There are not enough hosts available.", 400, OutOfCapacity),
        ("Error adding VMs: ZONE_RESOURCE_POOL_EXHAUSTED", 400, OutOfCapacity),
        ("Error adding VMs: Error no instance type available for the requirements.", 400, NoSuchFlavour),
        ("Error adding VMs: Incorrect image name or id specified.", 400, NoSuchImage),
        ("Error adding VMs: Error connecting with EC2, check the credentials", 400, CredentialsRefused),
        ("Error Getting Inf. List: Invalid InfrastructureManager credentials", 401, CredentialsRefused),
        ("Error Getting Inf. prop: Access to this infrastructure not granted.", 403, CredentialsRefused),
        ("Error adding VMs: HTTPSConnectionPool: Max retries exceeded with url", 400, Unavailable),
        ("Operation timed out", 504, Unavailable),
        ("Error Destroying Inf: Invalid State", 409, Unavailable),
        ("Error Creating Inf.: Error parsing RADL", 400, CloudError),
    ],
)
def test_an_infrastructure_manager(text: str, status: int | None, kind: type[Exception]) -> None:
    assert type(of_answer(IM, text, status)) is kind


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: The zone 'projects/p/zones/z' does not", None, OutOfCapacity),
        ("QUOTA_EXCEEDED: Quota 'N2_CPUS' exceeded.  Limit: 24.0 in region r.", None, QuotaExceeded),
        ("quotaExceeded: Quota 'CPUS' exceeded.  Limit: 24.0 in region r.", 403, QuotaExceeded),
        ("rateLimitExceeded: Quota exceeded for quota metric 'Queries'", 403, Unavailable),
        ("notFound: The resource 'projects/p/global/images/i' was not found", 404, NoSuchImage),
        ("notFound: The resource 'projects/p/zones/z/machineTypes/m' was not found", 404, NoSuchFlavour),
        ("invalid: Invalid value for field 'resource.machineType': 'zones/z/machineTypes/'.", 400, NoSuchFlavour),
        ("notFound: The resource 'projects/p' was not found", 404, CloudError),
        ("Invalid JWT Signature.", 400, CredentialsRefused),
        ("forbidden: Required 'compute.instances.create' permission for 'projects/p'", 403, CredentialsRefused),
        ("the operation is not done within 60 s", None, Unavailable),
    ],
)
def test_google(text: str, status: int | None, kind: type[Exception]) -> None:
    assert type(of_answer(GOOGLE, text, status)) is kind


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("[ZonalAllocationFailed] Allocation failed. We do not have sufficient capacity", None, OutOfCapacity),
        ("[OverconstrainedAllocationRequest] Allocation failed. VM(s) with the following", None, OutOfCapacity),
        (
            "[OperationNotAllowed] Operation could not be completed as it results in exceeding approved "
            "Total Regional Cores quota.",
            409,
            QuotaExceeded,
        ),
        (
            "[OperationNotAllowed] Operation could not be completed as it results in exceeding approved "
            "LowPriorityCores quota.",
            409,
            QuotaExceeded,
        ),
        ("[QuotaExceeded] Operation could not be completed", 409, QuotaExceeded),
        ("[OperationNotAllowed] This operation is not allowed on a disk that is attached", 409, Unavailable),
        ("[GalleryImageNotFound] The gallery image /subscriptions/s/... is not available", 404, NoSuchImage),
        ("[PlatformImageNotFound] The platform image 'P:O:S:latest' is not available", 404, NoSuchImage),
        ("[ResourceNotFound] The Resource 'Microsoft.Compute/images/i' was not found.", 404, NoSuchImage),
        ("[InvalidParameter] The value Huge provided for the VM size is not valid.", 400, NoSuchFlavour),
        ("[ResourceGroupNotFound] Resource group 'g' could not be found.", 404, CloudError),
        ("AADSTS7000222: The provided client secret keys are expired.", 401, CredentialsRefused),
        ("AADSTS90033: A transient error has occurred. Please try again.", 503, Unavailable),
        ("[InvalidAuthenticationTokenTenant] The access token is from the wrong issuer", 401, CredentialsRefused),
        ("429 Rate limit exceeded", 429, Unavailable),
    ],
)
def test_azure(text: str, status: int | None, kind: type[Exception]) -> None:
    assert type(of_answer(AZURE, text, status)) is kind


@given(st.sampled_from([AZURE, EC2, GOOGLE, OPENSTACK, IM]), st.text(max_size=2000), st.none() | st.integers(0, 999))
def test_whatever_is_said_becomes_one_readable_line(table: object, text: str, status: int | None) -> None:
    error = of_answer(table, text, status)  # type: ignore[arg-type]  # one of the tables
    assert isinstance(error, CloudError | Unavailable)
    told = str(error)
    assert told and told.isprintable() and len(told) < 400
