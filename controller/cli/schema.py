"""`controller schema`: the schema for editors; also writes and checks `crds/`."""

import json
from pathlib import Path

import click

from controller.cli import options


@click.command("schema", context_settings=options.CONTEXT)
@click.argument("kind", type=click.Choice(["DL1Service"]), default="DL1Service")
@click.option("--write", type=click.Path(path_type=Path, file_okay=False), help="Write all schemas into this folder.")
@click.option("--check", type=click.Path(path_type=Path, file_okay=False), help="Exit 1 if this folder is not current.")
def command(*, kind: str, write: Path | None, check: Path | None) -> None:
    """Print the JSON Schema (draft 07) of a kind."""
    from controller.core.schema import json_schema, schema_files

    if write is not None:
        for name, text in schema_files().items():
            (write / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {write / name}", err=True)
    elif check is not None:
        stale = [name for name, text in schema_files().items() if not _is_current(check / name, text)]
        for name in stale:
            click.echo(f"{check / name} is not current; run: make generate", err=True)
        click.get_current_context().exit(1 if stale else 0)
    else:
        click.echo(json.dumps(json_schema(kind), indent=1, ensure_ascii=False))


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
