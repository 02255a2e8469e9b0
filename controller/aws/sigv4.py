"""Signature Version 4 for the one kind of request that ECS reads are: POST to the root of a host, no query.

botocore's signer takes a tenth of a millisecond for each request: it derives the day's key anew, parses the URL four
times and builds two maps of headers. Here the key is kept for the day and the host for the endpoint; what comes out is
the same header, and a test compares the two for arbitrary requests. A URL of any other kind is refused, so that nothing
of canonical paths and queries has to be known here. Source: "Create a signed AWS API request"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), read in November 2026.
Neighbours: `fastpath` (sends what is signed here).
"""

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED: Final = frozenset({"user-agent", "x-amzn-trace-id"})
"""Headers that proxies and load balancers may change; botocore's signer leaves them out too."""
_PORTS: Final = {"http": 80, "https": 443}


class Keys(Protocol):
    """Credentials as botocore freezes them for one request."""

    @property
    def access_key(self) -> str:
        """Names the key."""
        ...

    @property
    def secret_key(self) -> str:
        """Signs."""
        ...

    @property
    def token(self) -> str | None:
        """Goes along, for credentials that were lent."""
        ...


def host_of(url: str) -> str | None:
    """The Host header of a URL without path, query and user; None for any other URL, and for an IPv6 address."""
    parts = urlsplit(url)
    host = parts.hostname
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        return None
    if not host or ":" in host or parts.scheme not in _PORTS:
        return None
    return host if parts.port in (None, _PORTS[parts.scheme]) else f"{host}:{parts.port}"


@dataclass(slots=True)
class Signer:
    """Signs requests to one service in one region."""

    service: str
    region: str
    _key_of: tuple[str, str] = field(default=("", ""), repr=False)
    """Day and secret key that `_key` was derived from."""
    _key: bytes = field(default=b"", repr=False)

    def sign(self, headers: dict[str, str], body: bytes, *, host: str, keys: Keys, now: datetime) -> None:
        """Add the headers that make a POST to `https://host/` a signed one: date, token, authorization. Those that are
        there already are signed along. `now` is UTC."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        headers["X-Amz-Date"] = moment
        if keys.token:
            headers["X-Amz-Security-Token"] = keys.token
        signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        signed["host"] = host
        names = sorted(signed.keys() - UNSIGNED)
        lines, listed = "".join([f"{name}:{signed[name]}\n" for name in names]), ";".join(names)
        request = f"POST\n/\n\n{lines}\n{listed}\n{sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_for(moment[:8], keys.secret_key), text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )

    def _key_for(self, day: str, secret: str) -> bytes:
        """The key of a day: derived when the day or the credentials change."""
        if self._key_of != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self.service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key_of, self._key = (day, secret), key
        return self._key
