"""Tools as the planner sees them, derived from their input models."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from agent.planner.types import SlotSpec, ToolSpec
from tools.contract import Slot, Tool


def spec_of(tool: type[Tool[Any, Any]] | Tool[Any, Any]) -> ToolSpec:
    """The planner's view of one tool: its annotated input fields, in order. Fields without a `Slot` are left alone."""
    slots = []
    for name, info in tool.input.model_fields.items():
        slot = next((meta for meta in info.metadata if isinstance(meta, Slot)), None) or _nested(info.annotation)
        if slot is None:
            continue
        choices, many = _shape(info.annotation)
        slots.append(SlotSpec(name, str(slot.type), info.is_required(), tuple(map(str, slot.kinds)), choices, many))
    return ToolSpec(tool.name, tool.group, str(tool.effect), tuple(slots))


def specs_of(tools: Iterable[type[Tool[Any, Any]] | Tool[Any, Any]]) -> Mapping[str, ToolSpec]:
    """The planner's view of many tools, by name."""
    return {tool.name: spec_of(tool) for tool in tools}


def _nested(annotation: Any) -> Slot | None:
    """The `Slot` of an `Annotated` inside an Optional."""
    for part in get_args(annotation):
        if isinstance(part, Slot):
            return part
        if found := _nested(part):
            return found
    return None


def _shape(annotation: Any) -> tuple[tuple[str, ...], bool]:
    """The allowed values (of an enum or a Literal) and whether it is a list, seen through Optional, Annotated and containers."""
    choices: list[str] = []
    many = False
    stack = [annotation]
    while stack:
        current = stack.pop()
        if isinstance(current, type) and issubclass(current, enum.Enum):
            choices.extend(str(member.value) for member in current)
        elif get_origin(current) is Literal:
            choices.extend(str(value) for value in get_args(current))
        else:
            many = many or get_origin(current) in (list, tuple, set, frozenset)
            stack.extend(part for part in get_args(current) if isinstance(part, type) or get_origin(part) is not None)
    return tuple(choices), many
