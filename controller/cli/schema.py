"""`controller schema`: the schema for editors; also writes and checks `crds/`."""

import json
from pathlib import Path

import click

from controller.cli import options, output
from controller.errors import ControllerError, Usage


@click.command("schema", context_settings=options.CONTEXT)
@click.argument("kind", type=click.Choice(["DL1Service", "DL1Job"]), default="DL1Service", metavar="[KIND]")
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Write all schemas into this folder.")
@click.option("--check", type=click.Path(path_type=Path, file_okay=False), help="Exit 1 if this folder is not current.")
def command(*, kind: str, write: Path | None, check: Path | None) -> None:
    """Print the JSON Schema (draft 07) of a kind."""
    from controller.core.schema import json_schema, schema_files

    if write is not None and check is not None:
        raise Usage("--write and --check exclude each other")
    if write is not None:
        _write(write, schema_files())
    elif check is not None:
        stale = [name for name, text in schema_files().items() if not _is_current(check / name, text)]
        for name in stale:
            output.note(f"{check / name} is not current; run: controller schema --write {check}")
        click.get_current_context().exit(1 if stale else 0)
    else:
        output.data(json.dumps(json_schema(kind), indent=1, ensure_ascii=False))


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            output.note(f"wrote {folder / name}")
    except OSError as error:
        raise ControllerError(f"{folder} cannot be written: {error.strerror}") from error


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()
