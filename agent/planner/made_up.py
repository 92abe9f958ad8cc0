"""Names and words for training that nothing real is called: the made-up world of the example sentences."""

# Random numbers here only vary example sentences.
# ruff: noqa: S311

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache

from agent.planner.types import Entity, StaticWorld

STEMS = [
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
TAILS = [
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
USERS = [
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
ORGS = [
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
TOKENS = ["ci-runner", "laptop-token", "nightly-sync", "gpu-box", "deploybot", "notebook2", "backup-job", "etl-key"]
KEYS = ["macbook", "thinkpad-key", "office-pc", "work_laptop", "jumpbox", "nas-key"]
BRANCHES = [
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
GIT_TAGS = ["v1.2.0", "v0.9", "v3.1", "release-7", "2.4.1", "v2.0-rc1", "stable-1", "v10"]
PATHS = [
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
NEW_PATHS = ["archive/old.csv", "docs/new_name.md", "lib/util.py", "config/base.json", "data/renamed.csv"]
REVISIONS = ["4f2a91c", "9be07d3", "main", "v1.2.0", "a81c6e05", "HEAD~1", "d00d5e1", "exp-42", "HEAD", "7c9e6679"]
LICENSES = ["apache-2.0", "MIT", "Apache-2.0", "mit", "cc-by-4.0", "bsd-3-clause", "gpl-3.0", "cc0-1.0", "AGPL-3.0"]
FILES = ["upload_may.csv", "new_weights.safetensors", "figure-3.png", "labels2.jsonl", "meeting.pdf"]
SQL = (
    "`SELECT count(*) FROM data`",
    "select lang, count(*) from data group by lang",
    "`select * from train where score > 3 limit 5`",
    "SELECT avg(length) FROM data WHERE label = 'spam'",
    "`SELECT DISTINCT author FROM data`",
)
EMAILS = ("ravi@example.org", "olga.k@globex.io", "new.person@mail.com")
TAG_WORDS = [
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
NEW_NAMES = [
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
TEXTS = {
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
QUERIES = {
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
WHENS = {
    "en": ["yesterday", "last week", "today", "last month", "on Monday", "this morning", "since Friday", "3 days ago"],
    "zh": ["昨天", "上周", "今天", "上个月", "周一", "今天早上", "三天前"],
    "ja": ["昨日", "先週", "今日", "先月", "月曜日", "今朝", "3日前"],
    "ko": ["어제", "지난주", "오늘", "지난달", "월요일", "오늘 아침", "3일 전"],
}
PRONOUNS = {
    "en": ("it", "it", "that one", "this", "that repo", "this model", "the dataset"),
    "zh": ("它", "它", "这个", "那个", "这个模型", "那个数据集"),
    "ja": ("それ", "それ", "これ", "あれ", "そのモデル", "そのデータセット"),
    "ko": ("그거", "그거", "이거", "그 모델", "그 데이터셋", "그것"),
}
ORDINALS = {
    "en": ("first", "second", "third", "last"),
    "zh": ("第一个", "第二个", "第三个", "最后一个"),
    "ja": ("1番目", "2番目", "3番目", "最後"),
    "ko": ("첫 번째", "두 번째", "세 번째", "마지막"),
}
# Names that nothing in the made-up world has: people do name what does not exist, or what they may not see.
UNKNOWN = {
    "user": ["zorblax", "qwenna", "tomasz_k", "hyeri", "mirabel87", "gaoyuan"],
    "org": ["pentavia", "skybolt-labs", "moriya-group"],
    "branch": ["exp-99", "feature/none", "oldfix"],
    "token": ["tok-77", "mykey-2"],
    "repo": ["blorf-9", "grumio-set", "ghost/blorf-9", "xanadu-net"],
}
UNKNOWN_SHARE = {"user": 0.15, "org": 0.05, "branch": 0.1, "token": 0.15, "repo": 0.04}
# How people begin and end a message, whatever they want.
BEFORE = {
    "en": ("ok ", "ok and ", "hey, ", "now ", "and ", "hi, ", "so ", "please ", "quick one: ", "sorry, ", "yo ", "alright, "),
    "zh": ("好的,", "那", "麻烦", "请", "嗯,", "另外,", "你好,", "对了,"),
    "ja": ("あと、", "じゃあ", "すみません、", "えっと、", "ちょっと", "それと、", "では、"),
    "ko": ("그럼 ", "저기 ", "음 ", "혹시 ", "아 ", "그리고 ", "죄송한데 "),
}
AFTER = {
    "en": (" please", " thanks", " asap", " real quick", " pls", " for me", " now", " thx"),
    "zh": (",谢谢", "吧", ",麻烦了", "哈", ",急"),
    "ja": ("。お願いします", "ね", "、急ぎで", "よ"),
    "ko": (" 부탁해", " 빨리", "요", " 고마워"),
}
COLLECTIONS = {
    "en": (
        "Best OCR models",
        "Papers to read",
        "Weekend picks",
        "Team favourites",
        "starter-kit",
        "Speech stuff",
        "Baselines 2025",
        "shortlist",
    ),
    "zh": ("语音模型精选", "本周推荐", "基线模型", "待读清单", "团队常用", "OCR 合辑", "入门资料"),
    "ja": ("音声モデル集", "今週のおすすめ", "ベースライン", "あとで読む", "チームの定番", "OCRまとめ", "入門セット"),
    "ko": ("음성 모델 모음", "이번 주 추천", "베이스라인", "읽을거리", "팀 즐겨찾기", "OCR 정리", "입문 세트"),
}
TITLES = {
    "en": ("Typo in the card", "wrong numbers in the table", "Training crashes after an hour", "missing tokenizer file", "Question about the split",
           "faster loading", "the eval results look off", "Add a quantised version", "unclear licence", "Bad rows in part two"),
    "zh": ("说明里有错别字", "表里的数字不对", "训练一小时后崩溃", "缺少分词器文件", "关于数据划分的疑问", "加载太慢", "评测结果有问题", "增加量化版本"),
    "ja": ("カードの誤字", "表の数字が違う", "学習が一時間で落ちる", "トークナイザーがない", "分割についての質問", "読み込みが遅い", "評価結果がおかしい", "量子化版の追加"),
    "ko": ("카드에 오타", "표 숫자가 틀림", "한 시간 뒤 학습이 죽음", "토크나이저 파일 없음", "데이터 분할 질문", "로딩이 느림", "평가 결과가 이상함", "양자화 버전 추가"),
}  # fmt: skip
BODIES = {
    "en": (
        "fixed on my branch",
        "I can reproduce this",
        "thanks, that helps",
        "please look again",
        "same here on two machines",
        "we need it for the demo",
    ),
    "zh": ("我这边也复现了", "已经在我的分支修好", "谢谢,有用", "麻烦再看一下", "演示要用"),
    "ja": ("こちらでも再現しました", "ブランチで直しました", "助かりました", "もう一度見てほしい", "デモで使います"),
    "ko": ("저도 재현됩니다", "제 브랜치에서 고쳤어요", "도움이 됐어요", "다시 확인 부탁드려요", "데모에 필요해요"),
}
URLS = (
    "https://hooks.example.org/build",
    "https://ci.globex.io/trigger?job=7",
    "http://10.2.3.4:9000/notify",
    "https://northwind.dev/api/events",
)
SECRET_NAMES = ("HF_TOKEN", "OPENAI_KEY", "DB_PASSWORD", "WANDB_API_KEY", "SERVICE_URL", "s3_secret")
ENDPOINTS = ("answer-bot", "chat-prod", "harbor-live", "faq-api", "embedder-1", "nimbus-serving", "demo-endpoint", "ranker-canary")
HARDWARE = {
    "en": ("one A10", "an A100", "2 x A100", "a T4", "one H100", "CPU", "a GPU", "two L4s", "4 H100s", "cpu-large", "one L40S", "A10"),
    "zh": ("一张A10", "两张A100", "A10", "CPU", "1块T4", "4张H100", "一块GPU", "L40S", "cpu-large", "2张L4"),
    "ja": ("A10", "A100を2枚", "T4", "CPU", "H100 1枚", "GPU", "L4", "cpu-large", "L40S"),
    "ko": ("A10 한 장", "A100 두 장", "T4", "CPU", "H100 1개", "GPU", "L4", "cpu-large", "A10"),
}
PERIODS = {
    "en": (
        "this month",
        "today",
        "the last 7 days",
        "last week",
        "in October",
        "this week",
        "yesterday",
        "the past 24 hours",
        "since Monday",
    ),
    "zh": ("这个月", "今天", "最近7天", "上周", "10月", "本周", "昨天", "过去24小时"),
    "ja": ("今月", "今日", "直近7日間", "先週", "10月", "今週", "昨日", "過去24時間"),
    "ko": ("이번 달", "오늘", "최근 7일", "지난주", "10월", "이번 주", "어제", "지난 24시간"),
}
AMOUNTS = {
    "en": ("200 dollars", "$500", "500 EUR", "1,000", "€50", "2k dollars", "300"),
    "zh": ("200美元", "3000元", "¥500", "1000", "500欧元", "2万元"),
    "ja": ("200ドル", "3万円", "¥5000", "1000", "500ユーロ"),
    "ko": ("200달러", "30만원", "₩50000", "1000", "500유로"),
}
FREE: Mapping[str, Mapping[str, Sequence[str]]] = {"text": TEXTS, "title": TITLES, "body": BODIES, "collection": COLLECTIONS}
REPO_SLOTS = ("repo", "model", "dataset", "space", "code")


@cache
def made_up_world() -> StaticWorld:
    """Names for training; none of them is a name of a demo or test world."""
    rng = random.Random(7)
    entities = [Entity("user", name) for name in USERS] + [Entity("org", name) for name in ORGS]
    entities += [Entity("token", name) for name in TOKENS] + [Entity("ssh_key", name) for name in KEYS]
    kinds = ["model"] * 4 + ["dataset"] * 4 + ["space", "code", "prompt", "skill", "mcp"]
    for number in range(130):
        name = f"{rng.choice(STEMS)}-{rng.choice(TAILS)}" + rng.choice(("", "", "-v2", "-7b", "2", "_old"))
        entities.append(Entity("repo", f"{rng.choice(ORGS + USERS[:8])}/{name}", kinds[number % len(kinds)]))
    titles = [title for table in COLLECTIONS.values() for title in table]
    for number, title in enumerate(titles):
        slug = f"{rng.choice(ORGS + USERS[:8])}/{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-') or 'c'}-{number:024x}"
        entities.append(Entity("collection", slug, own=number % 4 == 0, aliases=(title,)))
    for number, name in enumerate(ENDPOINTS):
        owner = rng.choice(ORGS + USERS[:8])
        entities.append(Entity("deployment", f"{owner}/{name}", own=number % 4 == 0, aliases=(name,)))
    for name in ("test", "demo", "data", "logs", "prompts-en", "exp"):
        entities.append(Entity("repo", f"{rng.choice(ORGS)}/{name}", rng.choice(kinds)))
    repos = [e.value for e in entities if e.type == "repo"]
    return StaticWorld(
        "ravi",
        tuple(entities),
        dict.fromkeys(repos, ("main", *BRANCHES)),
        dict.fromkeys(repos, tuple(GIT_TAGS)),
        dict.fromkeys(repos, ("README.md",)),
        FILES,
    )
