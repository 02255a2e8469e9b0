"""The lease: of several controllers of one account and region, at most one writes.

    terms      how long: duration, deadline, retry; and what of them makes no sense
    record     what is stored, and what a store can do: conditional writes, nothing else
    candidate  the algorithm: no clock, no I/O, no event loop
    lease      one controller's lease as it lives in an event loop
    dynamodb, s3, stores   where it is stored
    fence      an `Api` that asks the lease before every write

ECS has nothing to fence a writer with: no write takes a version. So the lease makes two writers unlikely and
short-lived, and what is written stays harmless when there are two all the same: writes set, they do not add.
"""
