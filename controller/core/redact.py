"""What must not be shown: values that look like secrets, wherever they turn up.

Masking happens where a value becomes part of a report, not where a report is printed, so that no format can forget it.
A masked value carries four hex digits of its SHA-256: enough to see that it changed, too little to guess it back.
Refuses nothing: a secret in plain text is also a policy finding, but that is not this module's business. All patterns
take linear time on any text. Neighbours: `source_secrets` (the same for the lines of a spec file), `quoting`.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

_WORDS: Final = (
    r"secret|token(?!i[sz])|passw|passphrase|[-_]pass(?![a-z])|[-_]pwd"
    r"|api[-_]?key|access[-_]?key|auth[-_]?key|credential|private"
)
SECRET_NAME: Final = re.compile(_WORDS, re.IGNORECASE)
"""Names that announce a secret. What says where a secret is kept, `valueFrom` or an ARN, is none."""

REFERENCES: Final = frozenset({"secrets", "secretOptions", "repositoryCredentials", "valueFrom"})
"""Members whose values say where a secret is kept, not what it is."""

_SECRET_VALUE: Final = re.compile(
    r"""
      \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                         # AWS access key id
    | \bgh[pousr]_[A-Za-z0-9]{30,}                          # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bhf_[A-Za-z0-9]{20,}                                 # Hugging Face
    | \bxox[abprs]-[A-Za-z0-9-]{10,}                        # Slack
    | \bsk-[A-Za-z0-9_-]{20,}                               # model providers
    | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*   # JWT
    | -----BEGIN[ ][A-Z ]{0,40}PRIVATE[ ]KEY-----[\s\S]*
    | (?<=://)[^/\s:@]*:[^/\s]+(?=@)                        # user:password@ in a URL
    | (?<=Bearer[ ])[A-Za-z0-9._~+/=-]{16,}
    """,
    re.VERBOSE,
)
_VALUE: Final = r"""(?P<value>"[^"\n]*"?|'[^'\n]*'?|(?!arn:|[{\[&*|>"'])\S*[^\s,;"'}\])])"""
"""A quoted text or a word without what closes it; not a reference, not the start of something nested."""
_SPACE: Final = r"[ \t]{0,8}"
_ARN: Final = r"(?<![\w.-])arn:aws[\w:/.*+@-]*"
"""A reference: `secret` in the ARN of a secret is no key with a value."""
_ASSIGNED: Final = re.compile(
    rf"""{_ARN}|(?<![\w.-])[\w.-]{{0,64}}(?:{_WORDS})[\w.-]{{0,64}}["']?{_SPACE}[=:]{_SPACE}{_VALUE}""", re.IGNORECASE
)
"""`password=…`, `"api_key": …`."""
_FLAGGED: Final = re.compile(
    rf"""(?<![\w.-])--?[\w-]{{0,64}}(?:{_WORDS})[\w-]{{0,64}}["']?{_SPACE}[ \t,]{_SPACE}{_VALUE}""", re.IGNORECASE
)
"""`--token …`, also as two members of a list that is written on one line."""


def mask(value: str) -> str:
    """What is shown instead of a secret."""
    return f"•••• sha256:{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()[:4]}"


def redact(value: Any, *, name: str = "") -> Any:
    """The value as it may be shown: texts under a telling name, and telling texts under any name, are masked."""
    match value:
        case str():
            announced = value and SECRET_NAME.search(name) and not value.startswith("arn:")
            return mask(value) if announced else _redact_text(value)
        case dict():
            told = str(value.get("name") or value.get("key") or "")
            return {
                key: redact(member, name=told if key == "value" and SECRET_NAME.search(told) else _within(name, key))
                for key, member in value.items()
            }
        case list() | tuple():
            names = [name, *(_flag_name(member) or name for member in value)]
            return [redact(member, name=before) for before, member in zip(names, value, strict=False)]
        case _:
            return value


def secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds a secret: (start, end) in characters."""
    yield from shape_spans(text)
    yield from announced_spans(text)


def shape_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds something of the shape of a secret."""
    yield from (found.span() for found in _SECRET_VALUE.finditer(text))


def announced_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds what the word before it calls a secret."""
    for pattern in (_ASSIGNED, _FLAGGED):
        yield from (found.span("value") for found in pattern.finditer(text) if found["value"] is not None)


def is_telling_flag(text: str) -> bool:
    """Whether a word of a command makes the word after it a secret: `--token`."""
    return text.startswith("-") and "=" not in text and SECRET_NAME.search(text) is not None


def _within(name: str, key: str) -> str:
    """A secret's reference (`secrets[HF_TOKEN]`) is shown: the name of the list says that it is no value."""
    return "" if key in REFERENCES else key or name


def _flag_name(member: Any) -> str:
    return member if isinstance(member, str) and is_telling_flag(member) else ""


def _redact_text(text: str) -> str:
    shown: list[str] = []
    done = 0
    for start, end in sorted(secret_spans(text)):
        if end > done:
            shown.extend((text[done:start], mask(text[max(start, done) : end])))
            done = end
    return "".join(shown) + text[done:]
