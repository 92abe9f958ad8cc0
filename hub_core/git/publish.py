"""Making new objects and refs public: pack into the blob store, then refs and register in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from sqlalchemy.orm import Session

from hub_core.errors import InvalidPack
from hub_core.git.cache import NodeCache, blob_key
from hub_core.git.checks import COMMIT, KIND_NAMES
from hub_core.git.ingest import IncomingPack
from hub_core.git.objects import SnapshotStore
from hub_core.git.reading import between, is_ancestor
from hub_core.git.refnames import HEADS
from hub_core.git.refs import NewPack, RefStore
from hub_core.git.types import ZERO, RefHook, RefResult, RefsApply, RefsChange, RefUpdate, RepoState
from hub_core.lfs.pointer import LfsPointer
from hub_core.storage import BlobStore


@dataclass(frozen=True, slots=True)
class Publisher:
    """The order that makes a crash harmless: bytes first, then names."""

    refs: RefStore
    blobs: BlobStore
    cache: NodeCache

    def publish(
        self,
        state: RepoState,
        store: SnapshotStore,
        updates: Sequence[RefUpdate],
        *,
        pack: IncomingPack | None = None,
        atomic: bool = False,
        hook: RefHook | None = None,
        session: Session | None = None,
    ) -> list[RefResult]:
        """Store the pack, ask the hook, move the refs.

        `store` reads the new objects and those of `state`.

        Raises:
            InvalidPack: a ref would lead to an object that is not there or of the wrong type.
            HubError: what the hook raises.
            PacksChangedError: `state` was overtaken by maintenance; nothing was changed.
        """
        peeled = check_tips(store, updates)
        apply = self._ask(state, store, updates, pack, hook)
        new = None
        if pack is not None:
            self._store(state, pack)
            new = NewPack(pack.name, pack.pack.stat().st_size, pack.objects)
        return self.refs.publish(
            state.repo_id,
            updates,
            atomic=atomic,
            peeled=peeled,
            base=state,
            pack=new,
            apply=_confirmed(self.blobs, state, pack, apply),
            session=session,
        )

    def _ask(
        self, state: RepoState, store: SnapshotStore, updates: Sequence[RefUpdate], pack: IncomingPack | None, hook: RefHook | None
    ) -> RefsApply | None:
        if hook is None:
            return None
        pointers: Sequence[LfsPointer] = sorted(pack.findings.pointers, key=lambda item: item.oid) if pack else ()
        return hook(
            RefsChange(
                state.repo_id,
                state.default_branch,
                updates,
                pointers,
                store.file_at,
                partial(between, store),
                partial(_rewrites, state, store),
                pack.pack.stat().st_size if pack else 0,
            )
        )

    def _store(self, state: RepoState, pack: IncomingPack) -> None:
        self.blobs.put_file(blob_key(state.repo_id, pack.name, "idx"), pack.index)
        self.blobs.put_file(blob_key(state.repo_id, pack.name, "pack"), pack.pack)
        self.cache.adopt(state, pack.name, pack.pack, pack.index)


def _rewrites(state: RepoState, store: SnapshotStore, update: RefUpdate) -> bool:
    return ZERO not in {update.old, update.new} and not state.untouched and not is_ancestor(store, update.old, update.new)


def _confirmed(blobs: BlobStore, state: RepoState, pack: IncomingPack | None, apply: RefsApply | None) -> RefsApply:
    def run(session: Session, updates: Sequence[RefUpdate]) -> None:
        # Garbage collection holds the same row lock, so what is there now stays.
        if pack is not None and not _is_stored(blobs, state, pack):
            raise InvalidPack("The pack was cleaned up before it was complete.", hint="Push again.")
        if apply is not None:
            apply(session, updates)

    return run


def _is_stored(blobs: BlobStore, state: RepoState, pack: IncomingPack) -> bool:
    files = (("idx", pack.index), ("pack", pack.pack))
    return all(blobs.size(blob_key(state.repo_id, pack.name, suffix)) == path.stat().st_size for suffix, path in files)


def check_tips(store: SnapshotStore, updates: Sequence[RefUpdate]) -> Mapping[str, str]:
    """Check that every new tip is there and of a fitting type; returns where annotated tags lead.

    Raises:
        InvalidPack: it is not.
    """
    peeled: dict[str, str] = {}
    kind_of = cache(store.kind_of)
    for update in updates:
        if update.new == ZERO:
            continue
        kind = kind_of(update.new)
        if kind is None:
            raise InvalidPack(f"{update.name} would lead to {update.new[:12]}, which is not there.", hint="Push again.")
        if update.name.startswith("refs/tags/"):
            target = store.behind_tags(update.new)
            if target is None:
                raise InvalidPack(f"{update.name} leads to nothing.", hint="Make the tag again.")
            if target != update.new:
                peeled[update.new] = target
        elif kind != COMMIT:
            what = "A branch" if update.name.startswith(HEADS) else "This ref"
            raise InvalidPack(f"{what} leads to a commit, but {update.new[:12]} is a {KIND_NAMES[kind]}.", hint="Push a commit.")
    return peeled
