"""The controller's own settings: one frozen value, each part with its origin.

A flag wins over the environment (`CONTROLLER_*`), which wins over the configuration file, which wins over the default.
Unknown keys and values that make no sense are refused with the place they came from. AWS's own variables (region,
profile, credentials, endpoint) are left to AWS's own chain and only passed on where a flag says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from controller.core.gaudi.cards import DEFAULT_PORT_BASE
from controller.core.render import DEFAULT_OWNER
from controller.errors import Usage

PREFIX: Final = "CONTROLLER_"


class Settings(BaseModel):
    """What the controller is told beside the specs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "specs"
    """A path, `s3://bucket/prefix` or `git+https://…@ref//dir`."""
    owner: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")] = DEFAULT_OWNER
    """Identity written to every service that this controller manages. Two controllers need two names."""
    clusters: tuple[str, ...] = ()
    """Clusters that are searched for services without a spec, besides those that the specs name."""
    region: str | None = None
    profile: str | None = None
    resync: Annotated[float, Field(ge=0.1, le=86_400)] = 60.0
    """Seconds between two looks at everything."""
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    """Workloads that are changed at once."""
    timeout: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """Seconds that `--wait` waits for rollouts."""
    port_base: Annotated[int, Field(ge=1024, le=32_760)] = DEFAULT_PORT_BASE
    """Host port that stands for card 0 (`gaudi.isolation: hostPorts`); the same for all controllers of a cluster."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def load(*, flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Loaded:
    """Put the layers over each other.

    `flags` holds only what was given on the command line.

    Raises:
        Usage: the file cannot be read, or some value makes no sense.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = dict.fromkeys(Settings.model_fields, "default")
    for layer, origin in (
        (_from_file(file), str(file)),
        (_from_environment(environment), "environment"),
        (dict(flags), "command line"),
    ):
        values |= layer
        origins |= dict.fromkeys(layer, origin)
    try:
        return Loaded(Settings.model_validate(values), origins)
    except ValidationError as error:
        found = "; ".join(_problem(one, origins) for one in error.errors())
        raise Usage(f"settings: {found}", advice="`controller run --help` lists them") from error


def _problem(error: Any, origins: Mapping[str, str]) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    origin = origins.get(name, "")
    if error["type"] == "extra_forbidden":
        return f"{name} ({origin}) is no setting"
    return f"{name} ({origin}): {str(error['msg'])[0].lower()}{str(error['msg'])[1:]}"


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """`CONTROLLER_PORT_BASE=18200`; a list is separated by commas. Variables that name no setting are not ours to
    judge."""
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = environment.get(f"{PREFIX}{name.upper()}")
        if text is not None:
            found[name] = [part.strip() for part in text.split(",") if part.strip()] if name == "clusters" else text
    return found


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise Usage(f"configuration {path} cannot be read: {error.strerror}", advice="check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Usage(f"configuration {path} is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise Usage(f"configuration {path} must be a mapping of settings")
    return {str(key): value for key, value in content.items()}
