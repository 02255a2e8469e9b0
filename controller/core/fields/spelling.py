"""Spellings that mean the same, brought to the one that ECS answers with."""

import re
from typing import Any

from controller.core.placement import ExpressionError, canonical


def cpu_units(text: Any) -> str:
    """`1 vCPU` → `1024`: ECS stores task CPU as units. Source: API model, RegisterTaskDefinition `cpu`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*v?cpu\s*", str(text), re.IGNORECASE)
    return str(int(float(match[1]) * 1024)) if match else str(text).strip()


def memory_mib(text: Any) -> str:
    """`1GB` → `1024`: ECS stores task memory as MiB. Source: API model, RegisterTaskDefinition `memory`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(gb|mb)\s*", str(text), re.IGNORECASE)
    if not match:
        return str(text).strip()
    return str(int(float(match[1]) * (1024 if match[2].lower() == "gb" else 1)))


def not_zero(value: Any) -> Any:
    """A host port of 0 is no host port: docker picks one. Source: API model, PortMapping `hostPort`."""
    return value or None


def expression(text: Any) -> str:
    """A placement expression by its meaning. A text that is no expression stays as it is, blanks apart."""
    try:
        return canonical(str(text))
    except ExpressionError:
        return " ".join(str(text).split())


def strategy_field(value: Any) -> Any:
    """`host` means `instanceId`; ECS answers `cpu` and `memory` in capitals. Source: Terraform's provider."""
    text = str(value)
    if text.lower() == "host":
        return "instanceId"
    return text.lower() if text.lower() in {"cpu", "memory"} else text
