"""Takes from the installed botocore what the core must know of the ECS API: the shapes of four requests.

The core may not import botocore (`controller validate` needs no AWS client), so the model lives beside it as data:
`core/ecs/model.json` (shapes) and `core/ecs/docs.json` (AWS's own words, for schemas). This module writes both anew
and, with `--check`, fails when they are not what the installed botocore says.

    python -m controller.aws.model [--check]
"""

import html
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import botocore
from botocore.loaders import Loader

OPERATIONS: Final = ("RegisterTaskDefinition", "CreateService", "UpdateService", "RunTask")
FOLDER: Final = Path(__file__).resolve().parent.parent / "core" / "ecs"

_KEPT: Final = ("enum", "min", "max", "pattern", "sensitive", "union", "deprecated", "document", "required")


def extract() -> dict[str, str]:
    """File name → text of the two data files, as the installed botocore has them."""
    loaded = Loader().load_service_model("ecs", "service-2")
    shapes: Mapping[str, Any] = loaded["shapes"]
    operations = {name: loaded["operations"][name]["input"]["shape"] for name in OPERATIONS}
    names = sorted({name for root in operations.values() for name in _reachable(shapes, root)})
    head = {"apiVersion": loaded["metadata"]["apiVersion"], "botocore": botocore.__version__, "operations": operations}
    lines = [f"  {json.dumps(name)}: {json.dumps(_shape(shapes[name]), sort_keys=True)}" for name in names]
    model = json.dumps(head, indent=1, sort_keys=True)[:-2] + ',\n "shapes": {\n' + ",\n".join(lines) + "\n }\n}\n"
    docs = {key: text for name in names for key, text in _docs(name, shapes[name])}
    return {"model.json": model, "docs.json": json.dumps(docs, indent=0, sort_keys=True, ensure_ascii=False) + "\n"}


def _reachable(shapes: Mapping[str, Any], root: str) -> set[str]:
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting.extend(_inside(shapes[name]))
    return seen


def _inside(shape: Mapping[str, Any]) -> Iterator[str]:
    for member in shape.get("members", {}).values():
        yield member["shape"]
    for part in ("member", "key", "value"):
        if part in shape:
            yield shape[part]["shape"]


def _shape(shape: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"type": shape["type"]}
    kept |= {name: shape[name] for name in _KEPT if name in shape}
    if "members" in shape:
        kept["members"] = {name: member["shape"] for name, member in shape["members"].items()}
    if "member" in shape:
        kept["of"] = shape["member"]["shape"]
    if "value" in shape:
        kept["of"] = shape["value"]["shape"]
    return kept


def _docs(name: str, shape: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if text := plain_text(shape.get("documentation", "")):
        yield name, text
    for member, reference in shape.get("members", {}).items():
        if text := plain_text(reference.get("documentation", "")):
            yield f"{name}.{member}", text


def plain_text(markup: str) -> str:
    """AWS's HTML as text: paragraphs and list items on lines of their own."""
    text = re.sub(r"<li>\s*", "\n- ", markup)
    text = re.sub(r"</(p|li|ul|ol|note|important|dd|dt|dl)>|<br/?>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line and line != "-")


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` compare them."""
    wanted = extract()
    if "--check" not in arguments:
        for name, text in wanted.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in wanted.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    for name in stale:
        sys.stderr.write(
            f"controller/core/ecs/{name} is not what botocore {botocore.__version__} says; run: make generate\n"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
