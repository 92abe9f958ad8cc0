"""A small real dataset that every Python carries: functions of the standard library and what their documentation says of them."""

from __future__ import annotations

import inspect
import json
from importlib import import_module

MODULES = ("os.path", "shutil", "textwrap", "random", "statistics", "bisect", "heapq", "glob", "fnmatch", "tempfile", "itertools", "math", "json")  # fmt: skip


def rows() -> list[dict[str, str]]:
    """A question and its answer for each function."""
    found = []
    for name in MODULES:
        module = import_module(name)
        for function in sorted(getattr(module, "__all__", None) or dir(module)):
            value = getattr(module, function, None)
            doc = inspect.getdoc(value) if callable(value) and not function.startswith("_") else None
            first = " ".join((doc or "").split("\n\n")[0].split())
            if len(first) > 20 and not first.startswith(function):
                found.append({"prompt": f"What does {name}.{function} do in Python?", "completion": first[:400]})
    return found


def jsonl() -> bytes:
    """The rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows()).encode()
