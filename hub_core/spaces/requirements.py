"""What a Space's requirements.txt asks for, as far as the hub installs it: names and versions of packages, and nothing else.

The file is somebody's, and an installer would do much for it: read other files, ask other hosts, put the hub's environment into
addresses, build packages (and so run their code). So it is read here, and only what is a plain requirement goes on to the installer.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from hub_core.errors import InvalidInput

MAX_BYTES, MAX_PACKAGES = 64 * 1024, 200
_COMMENT = re.compile(r"(^|\s)#.*$")
HINT = "Write one package per line, with versions if need be: numpy>=2, pandas==3.0.1"


def read_requirements(raw: bytes) -> tuple[str, ...]:
    """The requirements of a file, in its order.

    Raises:
        InvalidInput: a line is no plain requirement, with its number; or there is too much of it.
    """
    if len(raw) > MAX_BYTES:
        raise InvalidInput(f"requirements.txt has more than {MAX_BYTES // 1024} KiB.", hint=HINT)
    text = raw.decode("utf-8-sig", "replace").replace("\\\r\n", " ").replace("\\\n", " ")
    found = [_requirement(number, _COMMENT.sub("", line).strip()) for number, line in enumerate(text.splitlines(), 1)]
    kept = tuple(dict.fromkeys(line for line in found if line))
    if len(kept) > MAX_PACKAGES:
        raise InvalidInput(f"requirements.txt names more than {MAX_PACKAGES} packages.", hint="Name those that the app imports.")
    return kept


def _requirement(number: int, line: str) -> str:
    if not line:
        return ""
    try:
        parsed = Requirement(line)
    except InvalidRequirement:
        parsed = None
    if parsed is None or parsed.url is not None:
        shown = "".join(char for char in line if char.isprintable())[:80]
        raise InvalidInput(
            f"Line {number} of requirements.txt cannot be installed here: {shown}",
            hint="Options, addresses, paths and packages from Git are not taken. " + HINT,
        )
    return str(parsed)


def sdk_version(said: object, usual: str) -> str:
    """The version that a card asks for, or the usual one.

    Raises:
        InvalidInput: the card says something that is no version.
    """
    if said in (None, ""):
        return usual
    try:
        return str(Version(str(said)))
    except InvalidVersion as error:
        raise InvalidInput(f"'sdk_version: {str(said)[:40]}' in the card is no version.", hint=f"For example {usual}.") from error
