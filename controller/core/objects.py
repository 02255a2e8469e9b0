"""What a listing of an object store says of one object. Neighbours: `aws.objects` lists, `sources.s3` reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was listed."""

    key: str
    etag: str
    """Names the content: another content has another one."""
    size: int
    version: str | None = None
    """The version that was listed, where the bucket keeps versions and they were asked for."""
