"""The command lines that Git and git-lfs send over SSH."""

from __future__ import annotations

import enum
import shlex
from dataclasses import dataclass

from hub_core.errors import InvalidInput
from hub_core.http.paths import GIT_PREFIXES
from hub_core.repos.kinds import RepoKind


class Verb(enum.StrEnum):
    """What may be run; there is no shell."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"
    LFS = "git-lfs-authenticate"


@dataclass(frozen=True, slots=True)
class Command:
    """One command on one repo. `operation` is `download` or `upload` for `Verb.LFS`, otherwise empty."""

    verb: Verb
    kind: RepoKind
    namespace: str
    name: str
    operation: str = ""

    @property
    def writes(self) -> bool:
        """Whether the right to write is needed."""
        return self.verb is Verb.PUSH or self.operation == "upload"


def parse_command(line: str) -> Command:
    """Read a command line such as `git-upload-pack '/datasets/acme/tickets.git'`.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if words[:1] == ["git"] and len(words) > 1:
        words[:2] = [f"git-{words[1]}"]
    lfs = words[:1] == [Verb.LFS]
    # Newer git-lfs adds the id of the object it is about.
    if not words or words[0] not in list(Verb) or len(words) not in ((3, 4) if lfs else (2,)):
        raise InvalidInput("This address serves Git only.", hint="Try: git clone ssh://git@HOST:PORT/namespace/name.git")
    operation = words[2] if lfs else ""
    if lfs and operation not in {"download", "upload"}:
        raise InvalidInput("The operation is 'download' or 'upload'.")
    parts = words[1].strip("/").removesuffix(".git").split("/")
    prefix, (namespace, name) = (parts[0], parts[1:]) if len(parts) == 3 else ("", parts if len(parts) == 2 else ("", ""))
    if not namespace or not name or prefix not in GIT_PREFIXES:
        raise InvalidInput("The address does not name a repo.", hint="It looks like: namespace/name.git or datasets/namespace/name.git")
    return Command(Verb(words[0]), GIT_PREFIXES[prefix], namespace, name, operation)
