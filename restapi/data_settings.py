"""Settings of the object store: where objects are kept, how much of them, and for how long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from prominence.core import units
from prominence.core.settings import Settings
from prominence.restapi.limits import Limits


class S3Settings(Settings):
    """An object store that speaks S3."""

    endpoint_url: str | None = Field(default=None, description="The store's address; absent: Amazon's own.")
    workers_endpoint_url: str | None = Field(
        default=None, description="The store's address as workers know it, where that is another."
    )
    region: str = Field(default="us-east-1", description="The region that requests are signed for.")
    bucket: str = Field(description="The bucket, which must be there.")
    access_key: str = Field(description="The name of the key.")
    secret_key_file: Path = Field(description="File with the key's secret.")


class DataSettings(Settings):
    """Where objects are kept, how much of them and for how long."""

    store: Literal["local", "s3"] = Field(
        default="local", description="Files on this machine, served by the API itself, or a store that speaks S3."
    )
    directory: Path = Field(
        default=Path("/var/lib/prominence/objects"), description="Directory of the local store's files."
    )
    s3: S3Settings | None = Field(default=None, description="The store that speaks S3.")
    user_quota_gb: float = Field(default=100, ge=0, description="GB that a user's uploads and outputs may have.")
    group_quota_gb: float = Field(default=500, ge=0, description="GB that the uploads of a group may have.")
    largest_object_gb: float = Field(default=50, gt=0, description="GB that one object may have.")
    uploads_kept_days: float = Field(default=90, gt=0, description="Days after which an upload is deleted.")
    outputs_kept_days: float = Field(default=30, gt=0, description="Days after which a job's outputs are deleted.")
    jobs_kept_days: float = Field(
        default=90,
        gt=0,
        description="Days after which the description, the report and the printed output of an ended job are deleted.",
    )

    sweep_interval_s: float = Field(default=3600, ge=1, description="Seconds between looks for what has had its time.")

    @model_validator(mode="after")
    def _names_its_store(self) -> DataSettings:
        if self.store == "s3" and self.s3 is None:
            raise ValueError("store is s3: the section s3 must say where it is")
        return self

    def limits(self) -> Limits:
        """As values."""
        return Limits(
            user_quota=units.bytes_of_gb(self.user_quota_gb),
            group_quota=units.bytes_of_gb(self.group_quota_gb),
            largest_object=units.bytes_of_gb(self.largest_object_gb),
            uploads_kept=timedelta(days=self.uploads_kept_days),
            outputs_kept=timedelta(days=self.outputs_kept_days),
            jobs_kept=timedelta(days=self.jobs_kept_days),
        )
