"""The server's side of `git push`: commands, pack, refs, report (protocol v0 and v1, stateless)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, BinaryIO

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import Protocol

from hub_core.errors import HubError, InvalidInput, InvalidPack, LimitExceeded, Unavailable
from hub_core.git.cache import NodeCache
from hub_core.git.checks import Findings
from hub_core.git.ingest import ingest
from hub_core.git.objects import ObjectPool, SnapshotStore
from hub_core.git.publish import Publisher
from hub_core.git.refnames import PUSHABLE, is_sha, pull_number, valid_ref
from hub_core.git.refs import PacksChangedError
from hub_core.git.types import ZERO, GitLimits, RefHook, RefResult, RefUpdate, RepoState

AGENT = "agent=hubtalk"
CAPABILITIES = f"report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options object-format=sha1 {AGENT}"
_BAND = 65_515
_ATTEMPTS = 4


@dataclass(slots=True)
class PushRequest:
    """What a client asks for before the pack."""

    updates: list[RefUpdate] = field(default_factory=list)
    capabilities: set[str] = field(default_factory=set)
    options: list[str] = field(default_factory=list)
    warning: str = ""


def advertise_receive(state: RepoState) -> bytes:
    """The refs a pushing client compares with, as pkt-lines.

    A repo with nothing but the hub's own first commit looks empty, so that a history made elsewhere can be pushed into it.
    """
    refs = {} if state.untouched else state.refs
    lines = [f"{target} {name}" for name, target in refs.items()]
    first = lines[0] if lines else f"{ZERO} capabilities^{{}}"
    return pkt(f"{first}\0{CAPABILITIES}\n") + b"".join(pkt(f"{line}\n") for line in lines[1:]) + b"0000"


def pkt(data: str | bytes) -> bytes:
    """One pkt-line."""
    raw = data.encode() if isinstance(data, str) else data
    return f"{len(raw) + 4:04x}".encode() + raw


def read_request(body: IO[bytes], limits: GitLimits) -> PushRequest:
    """Read the commands and leave the body at the start of the pack.

    Raises:
        InvalidInput: it is not what Git sends.
    """
    request = PushRequest()
    try:
        for index, line in enumerate(_lines(body)):
            if index > limits.max_updates + 1000:
                raise InvalidInput("The push has too many commands.", hint=f"Push at most {limits.max_updates} refs at once.")
            command, nul, capabilities = line.partition(b"\0")
            if nul and not request.updates:
                # They come with the first command, which in a push from a shallow clone is not the first line.
                request.capabilities = set(capabilities.decode(errors="replace").split())
            text = command.decode("utf-8", "surrogateescape").rstrip("\n")
            if text.startswith("shallow "):
                continue
            request.updates.append(_command(text))
        if "push-options" in request.capabilities:
            request.options = [line.decode(errors="replace") for line in _lines(body)]
    except (GitProtocolError, HangupException, ValueError, AssertionError) as error:
        raise InvalidInput("The push is cut off or not in Git's protocol.", hint="Push again.") from error
    return request


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    protocol = Protocol(body.read, lambda _data: None)
    while (line := protocol.read_pkt_line()) is not None:
        yield line


def _command(text: str) -> RefUpdate:
    old, new, name = text.split(" ", 2)
    if not (is_sha(old) and is_sha(new)):
        raise ValueError("object id")
    return RefUpdate(name, old, new)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Runs pushes."""

    publisher: Publisher
    pool: ObjectPool
    cache: NodeCache
    limits: GitLimits

    def receive(self, state: Callable[[], RepoState], body: BinaryIO, hook: RefHook | None) -> bytes:
        """Answer one push. Refusals are part of the answer; only a broken request or hub raises.

        Raises:
            InvalidInput: the body is not a push.
        """
        request = read_request(body, self.limits)
        if not request.updates:
            return b"0000"
        start = body.tell()
        unpack, results, note = "ok", [], ""
        try:
            results = self._attempts(state, request, body, start, hook)
        except (InvalidPack, LimitExceeded, Unavailable) as error:
            unpack, note = error.message, error.hint
            results = [RefResult(update.name, False, "unpacker error") for update in request.updates]
        except HubError as error:
            note = error.hint
            results = [RefResult(update.name, False, error.message) for update in request.updates]
        return _report(request, unpack, results, note or request.warning)

    def _attempts(
        self, state: Callable[[], RepoState], request: PushRequest, body: BinaryIO, start: int, hook: RefHook | None
    ) -> list[RefResult]:
        for _ in range(_ATTEMPTS):
            now = state()
            if now.untouched:
                request.updates = [_over_initial(now, update) for update in request.updates]
            early = _early(now, request, self.limits)
            if all(not result.ok for result in early):
                return early
            updates = [update for update, result in zip(request.updates, early, strict=True) if result.ok]
            body.seek(start)
            try:
                done = self._once(now, request, updates, body, hook)
            except PacksChangedError:
                continue
            by_name = {result.name: result for result in (*early, *done)}
            return [by_name[update.name] for update in request.updates]
        raise Unavailable("The repo is being reorganised.", hint="Push again in a moment.")

    def _once(
        self, state: RepoState, request: PushRequest, updates: Sequence[RefUpdate], body: BinaryIO, hook: RefHook | None
    ) -> list[RefResult]:
        atomic = "atomic" in request.capabilities
        if all(update.new == ZERO for update in request.updates):
            with self.pool.open(state) as store:
                return self.publisher.publish(state, store, updates, atomic=atomic, hook=hook)
        with self.cache.incoming(state) as quarantine, self.pool.open(state) as behind:
            pack = ingest(quarantine, behind, body, self.limits)
            store = SnapshotStore(quarantine / "objects", behind)
            try:
                results = self.publisher.publish(state, store, updates, pack=pack, atomic=atomic, hook=hook)
                request.warning = _warning(pack.findings) if pack and any(result.ok for result in results) else ""
                return results
            finally:
                store.close_own()


def _warning(findings: Findings) -> str:
    """What the person who pushed is told of an accepted push; empty for nothing."""
    if not findings.secrets:
        return ""
    kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(findings.secrets.items()))
    return f"warning: this push holds what looks like secrets: {kinds}.\nwarning: Whoever reads the repo can read them; revoke them where they were made."


def _over_initial(state: RepoState, update: RefUpdate) -> RefUpdate:
    """What a client that was shown an empty repo means by creating its first branch."""
    current = state.refs.get(update.name)
    return replace(update, old=current) if current and update.old == ZERO else update


def _early(state: RepoState, request: PushRequest, limits: GitLimits) -> list[RefResult]:
    """What can be refused without looking at the pack."""
    names = Counter(update.name for update in request.updates)
    if len(request.updates) > limits.max_updates:
        raise LimitExceeded(f"One push may change {limits.max_updates} refs.", hint="Push in several steps.")
    results = []
    for update in request.updates:
        reason = ""
        if names[update.name] > 1:
            reason = "the ref is named twice"
        elif not valid_ref(update.name):
            reason = "this is not a valid ref name"
        elif reserved := _reserved(state, update):
            reason = reserved
        elif state.refs.get(update.name, ZERO) != update.old:
            reason = "somebody else updated this ref first; fetch and try again"
        results.append(RefResult(update.name, not reason, reason))
    if "atomic" in request.capabilities and any(not result.ok for result in results):
        return [RefResult(result.name, False, result.reason or "atomic push failed") for result in results]
    return results


def _reserved(state: RepoState, update: RefUpdate) -> str:
    """Why a ref of the hub's own is not for pushing to; empty for branches, tags and pull requests that are there."""
    if update.name.startswith(PUSHABLE):
        return ""
    if pull_number(update.name) is None:
        return "only branches and tags can be pushed"
    if update.name not in state.refs:
        return "there is no such pull request; open it first"
    return "the ref of a pull request cannot be deleted" if update.new == ZERO else ""


def _report(request: PushRequest, unpack: str, results: Sequence[RefResult], note: str) -> bytes:
    out = io.BytesIO()
    banded = "side-band-64k" in request.capabilities
    if note and banded:
        out.write(pkt(b"\x02" + f"{note}\n".encode()))
    if request.capabilities & {"report-status", "report-status-v2"}:
        lines = [pkt(f"unpack {_line(unpack)}\n")]
        for result in results:
            name = result.name.encode("utf-8", "surrogateescape")
            lines.append(pkt(b"ok " + name + b"\n" if result.ok else b"ng " + name + b" " + _line(result.reason).encode() + b"\n"))
        report = b"".join(lines) + b"0000"
        if banded:
            for first in range(0, len(report), _BAND):
                out.write(pkt(b"\x01" + report[first : first + _BAND]))
        else:
            out.write(report)
    if banded:
        out.write(b"0000")
    return out.getvalue()


def _line(text: str) -> str:
    return " ".join(text.split())[:400]
