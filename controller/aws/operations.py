"""Every AWS operation that the controller sends, read off its own source: the gateway declares a call by making it.

A call to AWS names its operation as text, as AWS spells it (`self._call("DescribeServices", …)`), so the source is the
list. This module finds these texts among the arguments of calls, outside the sandbox, and keeps them as data beside it
(`operations.json`), which `permissions` makes IAM policies of. It decides nothing. What it cannot see, an operation
whose name is put together at run time, is found by the tests: they record every operation that is sent (see
`tests/sending.py`).

    python -m controller.aws.operations [--check]
"""

import ast
import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from botocore.loaders import Loader

SERVICES: Final = (
    *("ecs", "application-autoscaling", "ec2", "autoscaling", "logs", "s3", "sqs", "dynamodb", "sts", "iam"),
    *("sns", "events"),
)
"""The services of AWS that are spoken to, as botocore names them. A name that several have is the first one's:
TagResource is ECS's."""
FILE: Final = "operations.json"

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_NOT_OURS: Final = "sandbox"
"""The room that answers such calls and makes none to AWS."""


def declared() -> frozenset[str]:
    """Every operation that is sent, as `service.Operation`."""
    content = resources.files("controller.aws").joinpath(FILE).read_text(encoding="utf-8")
    return frozenset(f"{service}.{name}" for service, names in json.loads(content).items() for name in names)


def extract() -> str:
    """The text of the data file, as the source has it now."""
    known = _known()
    found: dict[str, set[str]] = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        if _NOT_OURS in path.relative_to(_PACKAGE).parts:
            continue
        for text in _arguments(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if text in known:
                found.setdefault(known[text], set()).add(text)
    return json.dumps({service: sorted(names) for service, names in found.items()}, indent=1, sort_keys=True) + "\n"


def _known() -> dict[str, str]:
    """Operation → the service that has it."""
    loader, known = Loader(), dict[str, str]()
    for service in SERVICES:
        for name in loader.load_service_model(service, "service-2")["operations"]:
            known.setdefault(name, service)
    return known


def _arguments(tree: ast.AST) -> Iterator[str]:
    """Every text that is an argument of some call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


def main(arguments: list[str]) -> int:
    """Write the data file, or with `--check` say whether it is current."""
    file, text = Path(__file__).with_name(FILE), extract()
    if "--check" not in arguments:
        file.write_text(text, encoding="utf-8")
        return 0
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{file.name} is not what the source sends; run: python -m controller.aws.operations\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
