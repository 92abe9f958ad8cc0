"""Expanding example patterns into sentences with made-up names, the same sentences every time."""

# Random numbers here only vary example sentences.
# ruff: noqa: S311

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from agent.planner import made_up
from agent.planner.lexicon import cue, load
from agent.planner.made_up import REPO_SLOTS, made_up_world


@dataclass(frozen=True, slots=True)
class Sentence:
    """An expanded pattern; `pronoun` tells that it points back to a repo, `attached` that it names an attached file."""

    text: str
    tool: str
    language: str
    pronoun: bool = False


class Filler:
    """Fills slots from the made-up world."""

    def __init__(self, rng: random.Random, language: str) -> None:
        self.rng, self.language = rng, language
        self._queues: dict[int, list[int]] = {}
        world = made_up_world()
        self._repos: dict[str, list[str]] = {
            kind: [e.value for e in world.items if e.type == "repo" and e.kind == kind] for kind in ("model", "dataset", "space", "code")
        }
        self._repos["repo"] = [e.value for e in world.items if e.type == "repo"]

    def forget(self) -> None:
        """Start a new pattern."""
        self._queues.clear()

    def choose(self, alternatives: list[object]) -> list[object]:
        """An alternative; over the sentences of a pattern each comes up before any comes up again."""
        queue = self._queues.setdefault(id(alternatives), [])
        if not queue:
            queue.extend(self.rng.sample(range(len(alternatives)), len(alternatives)))
        return alternatives[queue.pop()]  # type: ignore[return-value]

    def fill(self, slot: str, quoted: bool, *, after_noun: bool = False) -> str:
        """A value for a slot, in the sentence's language; `quoted`: it stands in quotes, `after_noun`: right after the word for its kind."""
        lang, pick = self.language, self.rng.choice
        if slot in made_up.UNKNOWN and self.rng.random() < made_up.UNKNOWN_SHARE[slot]:
            return str(pick(made_up.UNKNOWN[slot]))
        if slot == "deployment" and self.rng.random() < 0.5:
            slot = "model"  # most deployments are called as their model is
        if slot in REPO_SLOTS:
            full = pick(self._repos[slot])
            return full if self.rng.random() < 0.35 else full.partition("/")[2]
        if slot in ("role", "visibility", "kind", "scope", "lang"):
            table = load("values")[slot]
            value = pick(
                [key for key in table if key != "weak"]
                if slot != "kind"
                else ["model", "model", "dataset", "dataset", "space", "code", "prompt"]
            )
            words = table[value].get(lang) or table[value]["en"]
            return str(words[0] if self.rng.random() < 0.6 else pick(words))
        if slot in made_up.FREE:
            text = str(pick(made_up.FREE[slot][lang]))
            if quoted or self.rng.random() < 0.4:
                return text
            return f'"{text}"' if lang == "en" else f"「{text}」"
        if slot == "discussion":
            number = str(self.rng.randint(1, 60))
            return f"#{number}" if not after_noun or self.rng.random() < 0.4 else number
        plain = {"user": made_up.USERS, "org": made_up.ORGS, "token": made_up.TOKENS, "sshkey": made_up.KEYS, "branch": ["main", *made_up.BRANCHES], "gittag": made_up.GIT_TAGS, "path": made_up.PATHS, "newpath": made_up.NEW_PATHS,
                 "revision": made_up.REVISIONS, "license": made_up.LICENSES, "file": made_up.FILES, "sql": made_up.SQL, "email": made_up.EMAILS, "tag": made_up.TAG_WORDS, "newname": made_up.NEW_NAMES,
                 "number": ("3", "5", "10", "20", "100"), "text": made_up.TEXTS[lang], "query": made_up.QUERIES[lang], "when": made_up.WHENS[lang], "it": made_up.PRONOUNS[lang], "ordinal": made_up.ORDINALS[lang],
                 "url": made_up.URLS, "webhook": made_up.URLS, "secretname": made_up.SECRET_NAMES, "deployment": made_up.ENDPOINTS, "endpoint": made_up.ENDPOINTS, "hardware": made_up.HARDWARE[lang],
                 "period": made_up.PERIODS[lang], "amount": made_up.AMOUNTS[lang], "job": ("12", "#7", "104", "3", "58")}  # fmt: skip
        return pick(plain[slot]) if slot in plain else slot


_TOKEN = re.compile(r"\{(\w+)\}|([()|\[\]])|([^{}()|\[\]]+|[{}])")


def parse(pattern: str) -> list[object]:
    """A pattern as a tree: strings, `("slot", name)` and `("pick", alternatives)`."""
    tokens = [m.group() for m in _TOKEN.finditer(pattern)]
    tree, _ = _parse(tokens, 0, "")
    return tree[0] if len(tree) == 1 else [("pick", tree)]


def _parse(tokens: list[str], at: int, closer: str) -> tuple[list[list[object]], int]:
    alternatives: list[list[object]] = [[]]
    while at < len(tokens):
        piece = tokens[at]
        at += 1
        if closer and piece == closer:
            return alternatives, at
        if piece in "([":
            inner, at = _parse(tokens, at, ")" if piece == "(" else "]")
            alternatives[-1].append(("pick", inner if piece == "(" else [*inner, []]))
        elif piece == "|":
            alternatives.append([])
        elif len(piece) > 2 and piece[0] == "{":
            alternatives[-1].append(("slot", piece[1:-1]))
        else:
            alternatives[-1].append(piece)
    return alternatives, at


def literals(tree: object) -> list[str]:
    """All literal parts of a pattern."""
    if isinstance(tree, str):
        return [tree]
    if isinstance(tree, tuple):
        return [] if tree[0] == "slot" else [text for branch in tree[1] for text in literals(branch)]
    return [text for part in tree for text in literals(part)]  # type: ignore[attr-defined]


def sample(tree: list[object], filler: Filler, pronoun: bool) -> tuple[str, bool]:
    """One sentence of a pattern, and whether it points back. With `pronoun` its first repo slot is said as a pronoun."""
    parts: list[str] = []
    state = {"pronoun": pronoun, "points": False}
    _walk(tree, filler, parts, state)
    return re.sub(r"\s+", " ", "".join(parts)).strip(), state["points"]


def _walk(tree: list[object], filler: Filler, parts: list[str], state: dict[str, bool]) -> None:
    for part in tree:
        if isinstance(part, str):
            parts.append(part)
        elif part[0] == "slot":  # type: ignore[index]
            slot = str(part[1])  # type: ignore[index]
            if slot == "it" or (slot in (*REPO_SLOTS, "deployment", "endpoint") and state["pronoun"]):
                slot, state["pronoun"], state["points"] = "it", False, True
            quoted = bool(parts) and parts[-1][-1:] in "\"'「『`:：“《"
            spoken = cue("discussion_noun").search("".join(parts)[-14:].lower())
            parts.append(filler.fill(slot, quoted, after_noun=spoken is not None))
        else:
            _walk(filler.choose(part[1]), filler, parts, state)  # type: ignore[index]


def _widest(tree: object) -> int:
    """The largest number of alternatives of any group."""
    if isinstance(tree, list):
        return max((_widest(part) for part in tree), default=1)
    if isinstance(tree, tuple) and tree[0] == "pick":
        return max(len(tree[1]), *(_widest(branch) for branch in tree[1]))
    return 1


def expand(patterns: dict[str, tuple[str, ...]], language: str, count: int, seed: int = 11) -> list[Sentence]:
    """Up to `count` different sentences of each pattern."""
    rng = random.Random(f"{seed}-{language}")
    filler = Filler(rng, language)
    found: list[Sentence] = []
    for tool in sorted(patterns):
        for pattern in patterns[tool]:
            tree = parse(pattern)
            filler.forget()
            seen: set[str] = set()
            wanted = max(count, min(_widest(tree), 2 * count))
            for attempt in range(wanted * 2):
                if len(seen) >= wanted:
                    break
                text, points = sample(tree, filler, pronoun=attempt % 9 == 8)
                if text and rng.random() < 0.12:
                    text = f"{rng.choice(made_up.BEFORE[language])}{text}"
                elif text and rng.random() < 0.08:
                    text = f"{text.rstrip('?')}{rng.choice(made_up.AFTER[language])}"
                if text and text not in seen:
                    seen.add(text)
                    found.append(Sentence(text, tool, language, points))
    return found
