"""One message being read: its document, the likeliest tools re-ranked by what they can take, and their filled calls."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.planner import asides, telling
from agent.planner import classify as classifier
from agent.planner.document import Document, Span
from agent.planner.fill import fill
from agent.planner.followup import of_the_thread
from agent.planner.lexicon import cue, spot
from agent.planner.linker import Index
from agent.planner.mentions import resolve
from agent.planner.spans import Lexis, annotate
from agent.planner.types import PSEUDO_TOOLS, Focus, Step, ToolSpec, World

# Below these the person is asked which tool is meant: reads are cheap, other acts are not.
READ_AT, WRITE_AT, DESTRUCTIVE_AT = 0.30, 0.45, 0.50
_STRONG = (
    "repo",
    "user",
    "org",
    "token",
    "ssh_key",
    "sql",
    "path",
    "branch",
    "git_tag",
    "attachment",
    "public_key",
    "email",
    "revision",
    "collection",
    "discussion",
)
_ACCEPTS = {
    "repo": ("repo",), "user": ("user", "owner"), "org": ("org", "owner", "new_name"), "token": ("token", "new_name"), "ssh_key": ("ssh_key", "new_name"), "sql": ("sql", "text"),
    "path": ("path", "new_path", "attachment"), "branch": ("branch", "revision", "new_name"), "git_tag": ("git_tag", "revision", "new_name", "tags"), "attachment": ("attachment",),
    "public_key": ("text",), "email": ("email",), "revision": ("revision",), "collection": ("collection", "new_name"), "discussion": ("discussion", "number", "webhook"),
}  # fmt: skip
_NOUNS = {
    "org": "org_noun",
    "token": "token_noun",
    "ssh_key": "key_noun",
    "branch": "branch_noun",
    "git_tag": "tag_noun",
    "collection": "collection_noun",
    "discussion": "discussion_noun",
}
# Acts whose sentences are made of everyday words: without a word of their own, a sentence is hardly about them.
_SPOKEN_OF = {
    "set_budget": "budget_noun",
    "start_finetune": "tuning_verb",
    "evaluate_model": "evaluation_verb",
    "scale_deployment": "copies_noun",
    "stop_idle_deployments": "idle_adjective",
    "decide_access": "decision_verb",
}
_OF_THREAD = ("org", "branch", "collection", "discussion")
_WHO = re.compile(
    r"(?:(?:ok|okay|and|so|hey|now|but)[ ,]+){0,2}(?:who\b|(?:is|are|was|were|does|did|has|have) (?:any(?:one|body)|some(?:one|body)|people|\x1f)[^?]{3})[^,;]*$"
)
_RANKED = 8
_MEMBERSHIP = ("add_org_member", "update_org_member", "remove_org_member")
_ACCESS = ("list_access", "grant_access", "revoke_access")
_GROUP = re.compile(f"{cue('org_noun').pattern}|{cue('member_noun').pattern}", re.IGNORECASE)


_Seen = tuple[str, str, tuple[tuple[int, int, str, str | None, bool], ...]]


@dataclass
class Turn:
    """One message being read."""

    text: str
    world: World
    focus: Focus
    tools: Mapping[str, ToolSpec]
    index: Index
    lexis: Lexis
    now: dt.datetime | None
    seen: dict[_Seen, list[tuple[str, float]]] = field(default_factory=dict)

    def document(self, text: str, focus: Focus) -> Document:
        """The text with its spans, pronouns resolved."""
        doc = annotate(text, self.world, focus, self.index, self.lexis, self.now)
        doc.language = self.focus.language or "en"
        resolve(doc, focus, self.index, self.world.username)
        return doc

    def scored(self, docs: Sequence[Document]) -> list[list[tuple[str, float]]]:
        """For each document the likeliest tools, re-ranked by what they can take."""
        aside = [asides.find(doc) for doc in docs]
        bare = [asides.without(doc, ranges) for doc, ranges in zip(docs, aside, strict=True) if ranges]
        found = [self.rerank(doc, scores) for doc, scores in zip([*docs, *bare], self.classified([*docs, *bare]), strict=True)]
        ranked, of_bare = found[: len(docs)], iter(found[len(docs) :])
        for at, ranges in enumerate(aside):
            if ranges:
                better = next(of_bare)
                surer = better[0][0] != ranked[at][0][0] or better[0][1] > ranked[at][0][1]
                if surer and better[0][1] >= WRITE_AT and any(asides.takes(self.tools.get(better[0][0]), name) for *_, name in ranges):
                    ranked[at] = better
        return ranked

    def classified(self, docs: Sequence[Document]) -> list[list[tuple[str, float]]]:
        """What the classifier says of each; a clause that is looked at again is not classified again."""
        keys = [(doc.text, doc.language, tuple((s.start, s.end, s.type, s.kind, s.linked) for s in doc.spans)) for doc in docs]
        new = {key: doc for key, doc in zip(keys, docs, strict=True) if key not in self.seen}
        self.seen.update(zip(new, classifier.classify(list(new.values())), strict=True))
        return [self.seen[key] for key in keys]

    def rerank(self, doc: Document, scores: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """Likeliest tools weighed by how well they can take what the message names."""
        scores = telling.shifted(scores, doc, self.focus)
        said = [name for name in telling.told(doc) if name in self.tools or name in PSEUDO_TOOLS]
        known = [(name, max(p, telling.FLOOR) if name in said else p) for name, p in scores if name in self.tools or name in PSEUDO_TOOLS]
        kept = known[:_RANKED] + [(name, p) for name, p in known[_RANKED:] if name in said]
        kept = self._one_kind_of_rights(doc, kept)
        weighed = [(name, p * self.fit(doc, name) * (telling.TOLD if name in said else 1.0)) for name, p in kept]
        total = sum(p for _, p in weighed) or 1.0
        rest = max(0.0, 1.0 - sum(p for _, p in kept))
        # What the schema rules out goes to its rivals, but never makes an unsure reading look sure.
        scale = min(1.0 / (total + rest), 1.0 if said else 1.6)
        ranked = sorted(((name, p * scale) for name, p in weighed), key=lambda item: -item[1])
        return _pooled(of_the_thread(ranked, doc, self.focus, self.tools))

    def _one_kind_of_rights(self, doc: Document, scores: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """Right after an organisation or a repo's rights were shown, membership and rights on a repo are one thing: what was shown."""
        in_org = self.focus.tool in ("get_org", "create_org", *_MEMBERSHIP)
        if in_org and not doc.of("repo", "repo_ref") and not cue("repo_noun").search(doc.masked):
            meant = {"grant_access": "add_org_member", "revoke_access": "remove_org_member"}
        elif self.focus.tool in _ACCESS and not doc.of("org") and not cue("org_noun").search(doc.masked):
            meant = {"add_org_member": "grant_access", "update_org_member": "grant_access", "remove_org_member": "revoke_access"}
        else:
            return scores
        p_of: dict[str, float] = {}
        for name, p in scores:
            p_of[meant.get(name, name)] = p_of.get(meant.get(name, name), 0.0) + p
        return list(p_of.items())

    def fit(self, doc: Document, name: str) -> float:
        """How well a tool can take what the message names."""
        spec = self.tools.get(name)
        if spec is None:
            return 1.0
        # Who did something is a question about the past, never an order to do it.
        weight = 0.1 if spec.effect != "read" and _WHO.match(doc.masked) else 1.0
        for span in doc.spans:
            if span.type not in _STRONG or _owner_mention(doc, span):
                continue
            slots = [slot for slot in spec.slots if slot.type in _ACCEPTS[span.type]]
            if not slots:
                weight *= 0.3
            elif span.type == "repo" and span.kind and all(slot.kinds and span.kind not in slot.kinds for slot in slots):
                weight *= 0.15
        return max(
            weight * self.grounded(doc, spec) * self.whose(doc, spec) * telling.weight(doc, spec, bool(self.world.attachments)), 0.02
        )

    def whose(self, doc: Document, spec: ToolSpec) -> float:
        """Rights on a repo and membership of an organisation sound alike: what is spoken of, now or just before, decides."""
        if spec.name in _MEMBERSHIP:
            if not doc.of("repo", "repo_ref") and spot("kind", doc.masked) and not _GROUP.search(doc.masked):
                return 0.1
            if not doc.of("org") and self.focus.tool in _ACCESS and not cue("org_noun").search(doc.masked):
                return 0.2
        if spec.name in _ACCESS and not doc.of("repo", "repo_ref") and self.focus.tool in ("get_org", "create_org", *_MEMBERSHIP):
            return 1.0 if cue("repo_noun").search(doc.masked) else 0.2
        return 1.0

    def grounded(self, doc: Document, spec: ToolSpec) -> float:
        """Less for a tool about organisations, tokens, keys, branches or tags when nothing in the message speaks of one."""
        weight = 1.0
        for slot in spec.slots:
            noun = _NOUNS.get(slot.type)
            if (
                noun is None
                or not slot.required
                or doc.of(slot.type)
                or any(e.type == slot.type for weak in doc.weak for e in weak.entities)
            ):
                continue
            known = slot.type in _OF_THREAD and getattr(self.focus, slot.type) is not None
            if not known and not cue(noun).search(doc.masked):
                weight *= 0.35
        spoken = _SPOKEN_OF.get(spec.name)
        if spoken and not cue(spoken).search(doc.masked) and not doc.of("deployment"):
            weight *= 0.1
        if spec.name in ("get_org", "get_user") and cue("repo_noun").search(doc.masked) and not cue("user_noun").search(doc.masked):
            weight *= 0.15  # "models by labs" asks for its repos
        if spec.name == "delete_user" and not doc.of("user") and not cue("user_noun").search(doc.masked):
            weight *= 0.5
        return weight

    def steps(self, doc: Document, name: str, focus: Focus) -> list[Step]:
        """The filled calls of one tool."""
        steps = fill(self.tools[name], doc, self.world, focus, self.index, self.lexis)
        return [_of_thread_commit(step, focus) for step in steps]


def _of_thread_commit(step: Step, focus: Focus) -> Step:
    """`revert it` after a commit was shown or made."""
    if step.tool not in ("revert_commit", "show_commit") or step.missing != ("revision",) or not focus.revision:
        return step
    return replace(step, args={**step.args, "revision": focus.revision}, missing=())


def _pooled(scores: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Adding a member sets the role of one who is in already, so a doubt between the two is none."""
    p = dict(scores)
    if (
        scores[:1]
        and scores[0][0] in ("add_org_member", "update_org_member")
        and min(p.get("add_org_member", 0.0), p.get("update_org_member", 0.0)) > 0.3
    ):
        return [
            ("add_org_member", p["add_org_member"] + p["update_org_member"]),
            *((n, v) for n, v in scores if n not in ("add_org_member", "update_org_member")),
        ]
    return scores


def _owner_mention(doc: Document, span: Span) -> bool:
    """A person or organisation said only to tell whose repo is meant."""
    if span.type not in ("user", "org"):
        return False
    owners = {entity.value.partition("/")[0].lower() for other in doc.of("repo") for entity in other.entities}
    return str(span.value).lower() in owners and bool(
        re.match(r"'s\b|の|的|의", doc.low[span.end : span.end + 3]) or re.search(r"\b(?:by|of|from|in)\s*$", doc.low[: span.start])
    )
