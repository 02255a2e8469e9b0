"""What must not be shown: values that look like secrets, wherever they turn up.

Masking happens where a value becomes part of a report, not where a report is printed, so that no format can forget it.
A masked value carries four hex digits of its SHA-256: enough to see that it changed, too little to guess it back.
Refuses nothing: a secret in plain text is also a policy finding, but that is not this module's business.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

SECRET_NAME: Final = re.compile(r"secret|token(?!i[sz])|passw|api_?key|credential|private|access_?key", re.IGNORECASE)
"""Names that announce a secret. `valueFrom` references and ARNs are not values and are told apart by their callers."""

_SECRET_VALUE: Final = re.compile(
    r"""
      \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                         # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{30,}                          # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bhf_[A-Za-z0-9]{20,}                                 # Hugging Face
    | \bxox[abprs]-[A-Za-z0-9-]{10,}                        # Slack
    | \bsk-[A-Za-z0-9_-]{20,}                               # model providers
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*   # JWT
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[\s\S]*
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                       # user:password@ in a URL
    | (?<=Bearer[ ])[A-Za-z0-9._~+/=-]{16,}
    """,
    re.VERBOSE,
)
_ASSIGNED: Final = re.compile(
    r"""
      (?P<name>[A-Za-z0-9_-]*(?:secret|token(?!i[sz])|passw(?:or)?d|api_?key)[A-Za-z0-9_-]*)
      (?P<sep>[=:]\s*)
      (?P<value>(?!arn:|[{\[&*|>])[^\s,;&]+)                # not a reference, not the start of something nested
    """,
    re.IGNORECASE | re.VERBOSE,
)


def mask(value: str) -> str:
    """What is shown instead of a secret."""
    return f"•••• sha256:{hashlib.sha256(value.encode()).hexdigest()[:4]}"


def redact(value: Any, *, name: str = "") -> Any:
    """The value as it may be shown: texts under a telling name, and telling texts under any name, are masked."""
    match value:
        case str():
            return mask(value) if value and SECRET_NAME.search(name) else _redact_text(value)
        case dict():
            return {key: redact(member, name=_name_within(name, key)) for key, member in value.items()}
        case list() | tuple():
            names = [name, *(_flag_name(member) or name for member in value)]
            return [redact(member, name=before) for before, member in zip(names, value, strict=False)]
        case _:
            return value


def secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds something of the shape of a secret: (start, end) in characters."""
    yield from (found.span() for found in _SECRET_VALUE.finditer(text))
    yield from (found.span("value") for found in _ASSIGNED.finditer(text))


def _name_within(name: str, key: str) -> str:
    """A secret's reference (`secrets[HF_TOKEN]`) is shown: the name of the list says that it is no value."""
    return "" if key in {"secrets", "secretOptions", "repositoryCredentials", "valueFrom"} else key or name


def _flag_name(member: Any) -> str:
    """In a command, `--token` makes the word after it a secret."""
    return member if isinstance(member, str) and member.startswith("-") and "=" not in member else ""


def _redact_text(text: str) -> str:
    text = _SECRET_VALUE.sub(lambda found: mask(found[0]), text)
    return _ASSIGNED.sub(lambda found: f"{found['name']}{found['sep']}{mask(found['value'])}", text)
