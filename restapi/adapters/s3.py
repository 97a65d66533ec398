"""ObjectStore on any store that speaks S3, by presigned addresses of one bucket.

A form's policy limits what a user may send; a PUT of known size or checksum has them signed into its headers. The
checksum is also kept as metadata, since not every store checks or remembers it by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.restapi.objects import Form, Put, Reach, Stored, Terms

log = logs.get(__name__)

RETRY_AFTER_S = 10

_SHA256 = "prominence_sha256"  # as the service before this one called it
_METADATA = f"x-amz-meta-{_SHA256}"


class S3Objects:
    """endpoints: the store's address as either side knows it; None for Amazon's own."""

    def __init__(
        self, endpoints: Mapping[Reach, str | None], region: str, bucket: str, access_key: str, secret: SecretStr
    ) -> None:
        self._bucket = bucket
        self._clients = {reach: _client(endpoint, region, access_key, secret) for reach, endpoint in endpoints.items()}
        # The service itself sees the store as its users do.
        self._own = self._clients[Reach.USERS]

    def url_to_get(self, name: str, lifetime_s: int, reach: Reach) -> str:
        return self._signed("get_object", reach, lifetime_s, Key=name)

    def url_to_put(self, name: str, terms: Terms, reach: Reach) -> Put:
        demands: dict[str, Any] = {}
        headers = {}
        if terms.size is not None:
            demands["ContentLength"] = terms.size
        if terms.sha256 is not None:
            demands["ChecksumSHA256"] = _base64(terms.sha256)
            demands["Metadata"] = {_SHA256: terms.sha256}
            headers = {"x-amz-checksum-sha256": _base64(terms.sha256), _METADATA: terms.sha256}
        return Put(self._signed("put_object", reach, terms.lifetime_s, Key=name, **demands), headers)

    def form_to_post(self, name: str, terms: Terms, reach: Reach) -> Form | None:
        fields = {}
        if terms.sha256 is not None:
            fields = {
                _METADATA: terms.sha256,
                "x-amz-checksum-algorithm": "SHA256",
                "x-amz-checksum-sha256": _base64(terms.sha256),
            }
        least, most = (0, terms.largest) if terms.size is None else (terms.size, terms.size)
        conditions: list[Any] = [{field: value} for field, value in fields.items()]
        made = self._clients[reach].generate_presigned_post(
            self._bucket,
            name,
            Fields=dict(fields),
            Conditions=[*conditions, ["content-length-range", least, most]],
            ExpiresIn=terms.lifetime_s,
        )
        return Form(made["url"], made["fields"])

    def stat(self, name: str) -> Stored | None:
        try:
            with _translated("look at an object"):
                found = self._own.head_object(Bucket=self._bucket, Key=name)
        except _Missing:
            return None
        return Stored(name, found["ContentLength"], found["LastModified"], found["Metadata"].get(_SHA256))

    def list(self, folder: str) -> list[Stored]:
        pages = self._own.get_paginator("list_objects_v2")
        with _translated("list objects"):
            found = [
                Stored(item["Key"], item["Size"], item["LastModified"])
                for page in pages.paginate(Bucket=self._bucket, Prefix=f"{folder}/" if folder else "")
                for item in page.get("Contents", ())
            ]
        return sorted(found, key=lambda stored: stored.name)

    def delete(self, name: str) -> None:
        with _translated("delete an object"):
            self._own.delete_object(Bucket=self._bucket, Key=name)

    def _signed(self, act: str, reach: Reach, lifetime_s: int, **parameters: Any) -> str:
        asked = {"Bucket": self._bucket, **parameters}
        return str(self._clients[reach].generate_presigned_url(act, Params=asked, ExpiresIn=lifetime_s))


class _Missing(Exception):
    """There is no such object."""


def _client(endpoint: str | None, region: str, access_key: str, secret: SecretStr) -> Any:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
        # Stores other than Amazon's do not all know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret.get_secret_value(),
        config=config,
    )


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["ResponseMetadata"].get("HTTPStatusCode") == 404 and error.operation_name == "HeadObject":
            raise _Missing from error
        log.error("the object store refused", asked_to=what, error=str(error))
        raise Unavailable("The object store does not do what it is asked at the moment.", RETRY_AFTER_S) from error
    except BotoCoreError as error:
        log.warning("the object store does not answer", asked_to=what, error=str(error))
        raise Unavailable("The object store does not answer at the moment.", RETRY_AFTER_S) from error
