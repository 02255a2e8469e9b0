"""A store of leases in memory, with the conditional semantics of the two real ones."""

from itertools import count

from controller.aws.lease.record import NOBODY, Claim, Refused, Renewal, Stored


class MemoryStore:
    """`like` is dynamodb or s3: what their conditions compare, and what they mark versions by."""

    def __init__(self, like="dynamodb"):
        self.like = like
        self.stored = None
        self.tags = count(1)

    async def read(self):
        return self.stored

    async def write(self, write):
        return self.apply(write)

    def apply(self, write):
        if not self.allows(write):
            return Refused(self.stored)
        tag = write.new.version if self.like == "dynamodb" else f"etag-{next(self.tags)}"
        self.stored = Stored(write.new, tag)
        return self.stored

    def allows(self, write):
        now = self.stored
        match write:
            case Claim(seen=seen) if self.like == "dynamodb":
                return now is None or now.record.holder == NOBODY or (seen is not None and now.tag == seen.tag)
            case Claim(seen=seen):
                return now is None if seen is None else now is not None and now.tag == seen.tag
            case Renewal(mine=mine):
                same = now is not None and now.tag == mine.tag
                return same and (self.like == "s3" or now.record.holder == mine.record.holder)
