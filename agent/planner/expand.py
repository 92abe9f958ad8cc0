"""Expanding example patterns into sentences with made-up names, the same sentences every time."""

# Random numbers here only vary example sentences.
# ruff: noqa: S311

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache

from agent.planner.lexicon import load
from agent.planner.types import Entity, StaticWorld

_STEMS = [
    "legal",
    "churn",
    "invoice",
    "radar",
    "harbor",
    "pixel",
    "orbit",
    "quartz",
    "lumen",
    "cedar",
    "falcon",
    "marble",
    "nimbus",
    "onyx",
    "prism",
    "raven",
    "saffron",
    "tundra",
    "umber",
    "velvet",
    "willow",
    "zephyr",
    "cobalt",
    "drift",
    "ember",
    "fjord",
    "glacier",
    "hazel",
    "indigo",
    "jasper",
    "kelp",
    "lotus",
    "maple",
    "nectar",
    "opal",
    "pepper",
    "quill",
    "ripple",
    "sable",
    "topaz",
]
_TAILS = [
    "net",
    "lm",
    "bert",
    "ocr",
    "qa",
    "bench",
    "corpus",
    "logs",
    "csv",
    "set",
    "chat",
    "summarizer",
    "ranker",
    "tagger",
    "asr",
    "tts",
    "demo",
    "board",
    "toolkit",
    "scripts",
    "pipeline",
    "eval",
    "rewards",
]
_USERS = [
    "ravi",
    "olga",
    "haruto",
    "jisoo",
    "weiwei",
    "pierre",
    "fatima",
    "lukas",
    "ingrid",
    "mateo",
    "yuki-s",
    "sora88",
    "lihua",
    "kwame",
    "nadia",
    "hyunwoo",
    "tomoko",
    "xiaolong",
    "bjorn",
    "greta",
    "hassan",
    "priya",
    "dmitri",
    "soyeon",
    "akira-m",
]
_ORGS = [
    "northwind",
    "globex",
    "initech",
    "hooli",
    "umbrella-ai",
    "kyoto-lab",
    "hanbit-ai",
    "beihai",
    "tyrell",
    "wonka-ml",
    "soylent",
    "cyberdyne",
    "blue-ocean",
    "datawerk",
    "openfarm",
]
_TOKENS = ["ci-runner", "laptop-token", "nightly-sync", "gpu-box", "deploybot", "notebook2", "backup-job", "etl-key"]
_KEYS = ["macbook", "thinkpad-key", "office-pc", "work_laptop", "jumpbox", "nas-key"]
_BRANCHES = [
    "feature/tokenizer",
    "fix-eval",
    "exp-42",
    "wip-cleanup",
    "dev-v2",
    "hotfix/readme",
    "retrain-2",
    "feat/ui",
    "quantize-test",
    "beta",
]
_GIT_TAGS = ["v1.2.0", "v0.9", "v3.1", "release-7", "2.4.1", "v2.0-rc1", "stable-1", "v10"]
_PATHS = [
    "data/train.csv",
    "config.json",
    "src/train.py",
    "docs/intro.md",
    "tokenizer.json",
    "weights/model.safetensors",
    "eval/results.jsonl",
    "notes.txt",
    "app.py",
    "requirements.txt",
    "README.md",
    "sample.parquet",
    "scripts/run.sh",
    ".gitignore",
    "data/part-001.parquet",
]
_NEW_PATHS = ["archive/old.csv", "docs/new_name.md", "lib/util.py", "config/base.json", "data/renamed.csv"]
_REVISIONS = ["4f2a91c", "9be07d3", "main", "v1.2.0", "a81c6e05", "HEAD~1", "d00d5e1", "exp-42", "HEAD", "7c9e6679"]
_LICENSES = ["apache-2.0", "MIT", "Apache-2.0", "mit", "cc-by-4.0", "bsd-3-clause", "gpl-3.0", "cc0-1.0", "AGPL-3.0"]
_FILES = ["upload_may.csv", "new_weights.safetensors", "figure-3.png", "labels2.jsonl", "meeting.pdf"]
_SQL = (
    "`SELECT count(*) FROM data`",
    "select lang, count(*) from data group by lang",
    "`select * from train where score > 3 limit 5`",
    "SELECT avg(length) FROM data WHERE label = 'spam'",
    "`SELECT DISTINCT author FROM data`",
)
_EMAILS = ("ravi@example.org", "olga.k@globex.io", "new.person@mail.com")
_TAG_WORDS = [
    "nlp",
    "vision",
    "speech",
    "finetuned",
    "benchmark",
    "experimental",
    "deprecated",
    "japanese",
    "medical",
    "text-classification",
    "gguf",
    "production",
    "ocr",
    "instruct",
    "multilingual",
]
_NEW_NAMES = [
    "harbor-lm-2",
    "testbed9",
    "sandbox_x",
    "quokka",
    "zyntra",
    "meeting-notes",
    "ocr-v3",
    "blip2ft",
    "fluxon",
    "my-first-model",
    "pricing-2025",
    "korvax",
    "faq_pairs",
    "bertina",
    "moonshot-x",
    "kestrell",
]
_TEXTS = {
    "en": (
        "Answers questions about invoices",
        "Cleaned in May, do not redistribute",
        "hello world",
        "Our best summarizer so far",
        "weekly export",
    ),
    "zh": ("用于客服问答的模型", "五月清洗过的数据", "你好", "目前最好的摘要模型", "每周导出"),
    "ja": ("請求書の質問に答えるモデル", "5月に整形したデータ", "こんにちは", "要約用の最新版", "週次の書き出し"),
    "ko": ("청구서 질문에 답하는 모델", "5월에 정제한 데이터", "안녕하세요", "현재 가장 좋은 요약 모델", "주간 내보내기"),
}
_QUERIES = {
    "en": [
        "sentiment analysis",
        "speech recognition",
        "customer support",
        "medical images",
        "translation",
        "invoices",
        "face detection",
        "code completion",
        "weather forecasts",
        "license plates",
    ],
    "zh": ["情感分析", "语音识别", "客服对话", "医学影像", "翻译", "发票", "人脸检测", "代码补全", "天气", "车牌识别"],
    "ja": [
        "感情分析",
        "音声認識",
        "カスタマーサポート",
        "医療画像",
        "翻訳",
        "請求書",
        "顔検出",
        "コード補完",
        "天気予報",
        "ナンバープレート",
    ],
    "ko": ["감성 분석", "음성 인식", "고객 지원", "의료 영상", "번역", "청구서", "얼굴 인식", "코드 완성", "날씨", "번호판"],
}
_WHENS = {
    "en": ["yesterday", "last week", "today", "last month", "on Monday", "this morning", "since Friday", "3 days ago"],
    "zh": ["昨天", "上周", "今天", "上个月", "周一", "今天早上", "三天前"],
    "ja": ["昨日", "先週", "今日", "先月", "月曜日", "今朝", "3日前"],
    "ko": ["어제", "지난주", "오늘", "지난달", "월요일", "오늘 아침", "3일 전"],
}
_PRONOUNS = {
    "en": ("it", "it", "that one", "this", "that repo", "this model", "the dataset"),
    "zh": ("它", "它", "这个", "那个", "这个模型", "那个数据集"),
    "ja": ("それ", "それ", "これ", "あれ", "そのモデル", "そのデータセット"),
    "ko": ("그거", "그거", "이거", "그 모델", "그 데이터셋", "그것"),
}
_ORDINALS = {
    "en": ("first", "second", "third", "last"),
    "zh": ("第一个", "第二个", "第三个", "最后一个"),
    "ja": ("1番目", "2番目", "3番目", "最後"),
    "ko": ("첫 번째", "두 번째", "세 번째", "마지막"),
}
# Names that nothing in the made-up world has: people do name what does not exist, or what they may not see.
_UNKNOWN = {
    "user": ["zorblax", "qwenna", "tomasz_k", "hyeri", "mirabel87", "gaoyuan"],
    "org": ["pentavia", "skybolt-labs", "moriya-group"],
    "branch": ["exp-99", "feature/none", "oldfix"],
    "token": ["tok-77", "mykey-2"],
    "repo": ["blorf-9", "grumio-set", "ghost/blorf-9", "xanadu-net"],
}
_UNKNOWN_SHARE = {"user": 0.15, "org": 0.05, "branch": 0.1, "token": 0.15, "repo": 0.04}
# How people begin and end a message, whatever they want.
_BEFORE = {
    "en": ("ok ", "ok and ", "hey, ", "now ", "and ", "hi, ", "so ", "please ", "quick one: ", "sorry, ", "yo ", "alright, "),
    "zh": ("好的,", "那", "麻烦", "请", "嗯,", "另外,", "你好,", "对了,"),
    "ja": ("あと、", "じゃあ", "すみません、", "えっと、", "ちょっと", "それと、", "では、"),
    "ko": ("그럼 ", "저기 ", "음 ", "혹시 ", "아 ", "그리고 ", "죄송한데 "),
}
_AFTER = {
    "en": (" please", " thanks", " asap", " real quick", " pls", " for me", " now", " thx"),
    "zh": (",谢谢", "吧", ",麻烦了", "哈", ",急"),
    "ja": ("。お願いします", "ね", "、急ぎで", "よ"),
    "ko": (" 부탁해", " 빨리", "요", " 고마워"),
}
REPO_SLOTS = ("repo", "model", "dataset", "space", "code")


@cache
def made_up_world() -> StaticWorld:
    """Names for training; none of them is a name of a demo or test world."""
    rng = random.Random(7)
    entities = [Entity("user", name) for name in _USERS] + [Entity("org", name) for name in _ORGS]
    entities += [Entity("token", name) for name in _TOKENS] + [Entity("ssh_key", name) for name in _KEYS]
    kinds = ["model"] * 4 + ["dataset"] * 4 + ["space", "code", "prompt", "skill", "mcp"]
    for number in range(130):
        name = f"{rng.choice(_STEMS)}-{rng.choice(_TAILS)}" + rng.choice(("", "", "-v2", "-7b", "2", "_old"))
        entities.append(Entity("repo", f"{rng.choice(_ORGS + _USERS[:8])}/{name}", kinds[number % len(kinds)]))
    for name in ("test", "demo", "data", "logs", "prompts-en", "exp"):
        entities.append(Entity("repo", f"{rng.choice(_ORGS)}/{name}", rng.choice(kinds)))
    repos = [e.value for e in entities if e.type == "repo"]
    return StaticWorld(
        "ravi",
        tuple(entities),
        dict.fromkeys(repos, ("main", *_BRANCHES)),
        dict.fromkeys(repos, tuple(_GIT_TAGS)),
        dict.fromkeys(repos, ("README.md",)),
        _FILES,
    )


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

    def fill(self, slot: str, quoted: bool) -> str:
        """A value for a slot, in the sentence's language."""
        lang, pick = self.language, self.rng.choice
        if slot in _UNKNOWN and self.rng.random() < _UNKNOWN_SHARE[slot]:
            return str(pick(_UNKNOWN[slot]))
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
        if slot == "text":
            text = pick(_TEXTS[lang])
            if quoted or self.rng.random() < 0.4:
                return text
            return f'"{text}"' if lang == "en" else f"「{text}」"
        plain = {"user": _USERS, "org": _ORGS, "token": _TOKENS, "sshkey": _KEYS, "branch": ["main", *_BRANCHES], "gittag": _GIT_TAGS, "path": _PATHS, "newpath": _NEW_PATHS,
                 "revision": _REVISIONS, "license": _LICENSES, "file": _FILES, "sql": _SQL, "email": _EMAILS, "tag": _TAG_WORDS, "newname": _NEW_NAMES,
                 "number": ("3", "5", "10", "20", "100"), "text": _TEXTS[lang], "query": _QUERIES[lang], "when": _WHENS[lang], "it": _PRONOUNS[lang], "ordinal": _ORDINALS[lang]}  # fmt: skip
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
            if slot == "it" or (slot in REPO_SLOTS and state["pronoun"]):
                slot, state["pronoun"], state["points"] = "it", False, True
            quoted = bool(parts) and parts[-1][-1:] in "\"'「『`:：“《"
            parts.append(filler.fill(slot, quoted))
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
                    text = f"{rng.choice(_BEFORE[language])}{text}"
                elif text and rng.random() < 0.08:
                    text = f"{text.rstrip('?')}{rng.choice(_AFTER[language])}"
                if text and text not in seen:
                    seen.add(text)
                    found.append(Sentence(text, tool, language, points))
    return found
