"""Writes the IAM policies of `deploy/iam/` from the statements of `permissions` and the operations that are sent.

With `--check` it fails when the files are not current, and in any case when an operation has no statement.

    python -m controller.aws.policies deploy/iam [--check]
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from controller.aws.operations import declared
from controller.aws.permissions import Use, policy, statements, without_statement

FILES: Final[Mapping[str, tuple[Use, ...]]] = {
    "controller.json": (Use.OBSERVE, Use.CONVERGE),
    "read-only.json": (Use.OBSERVE,),
    **{f"optional/{use}.json": (use,) for use in Use if use not in (Use.OBSERVE, Use.CONVERGE)},
}
"""File → what it allows. What a deployment does not use has a file of its own."""


def extract() -> dict[str, str]:
    """File name → text. A use for which nothing is sent has no file.

    Raises:
        LookupError: there is an operation without a statement.
    """
    sent = declared()
    homeless = without_statement(sent)
    if homeless:
        raise LookupError(f"no statement of controller/aws/permissions.py is for {', '.join(homeless)}")
    found = {name: statements(uses, sent) for name, uses in FILES.items()}
    return {
        name: json.dumps(policy(mine, sent), indent=2, ensure_ascii=False) + "\n"
        for name, mine in found.items()
        if mine
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` compare them."""
    folder = Path(arguments[0])
    try:
        wanted = extract()
    except LookupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.json"))}
    if "--check" not in arguments:
        for name in there.keys() - wanted.keys():
            there[name].unlink()
        for name, text in wanted.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    stale = {name for name, text in wanted.items() if name not in there or there[name].read_text("utf-8") != text}
    for name in sorted(stale | (there.keys() - wanted.keys())):
        sys.stderr.write(f"{folder / name} is not what the controller needs; run: make generate\n")
    return 1 if stale or there.keys() - wanted.keys() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
