"""Regular expressions for things that look alike in every language: quotes, SQL, paths, shas, versions, numbers."""

from __future__ import annotations

import re

FENCE = re.compile(r"```[a-zA-Z0-9]*\n?(?P<body>.*?)```", re.DOTALL)
QUOTED = re.compile(
    r"`(?P<a>[^`\n]+)`|(?<![A-Za-z0-9][(=\[])\"(?P<b>[^\"]+)\"|「(?P<c>[^」]+)」|『(?P<d>[^』]+)』|《(?P<e>[^》]+)》|(?<![A-Za-z0-9])(?<![A-Za-z0-9][(=\[])'(?P<f>[^'\n]+)'(?![A-Za-z0-9])|【(?P<g>[^】]+)】"
)
PUBLIC_KEY = re.compile(
    r"(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|sk-[a-z0-9-]+@openssh\.com)\s+[A-Za-z0-9+/=]{8,}(?:[ \t]+[A-Za-z0-9._+-]*[@\d_-][A-Za-z0-9._@+-]*)?"
)
URL = re.compile(r"https?://[^\s\u3000-\u9fff\uac00-\ud7a3<>\"')]+")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
SQL_HEAD = re.compile(r"^\s*(?:select\b|with\s+\w+\s+as\b|describe\s|summarize\s|show\s+tables)", re.IGNORECASE)
SQL = re.compile(
    r"\bselect\s+(?:[^\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3;]|'[^']*')+?\bfrom\s+[A-Za-z_][\w.]*(?:[^\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3;'\"]|'[^']*'|\"[^\"]*\")*",
    re.IGNORECASE,
)
SQL_TAIL = re.compile(
    r"\s+(?:on|against|over|in|for|please|thanks)\s+(?:the\s+)?(?:dataset\s+)?[\w./-]+\s*[.?!]*$|\s*(?:,|\bplease\b|\bthanks\b).{0,20}$|[.?!\s,]+$",
    re.IGNORECASE,
)
EXTENSIONS = (
    "md|markdown|txt|json|jsonl|csv|tsv|parquet|yaml|yml|toml|ini|cfg|py|ipynb|sh|js|ts|jsx|tsx|html|css|xml|sql|safetensors|gguf|bin|pt|pth|onnx|h5|pkl|npz|npy|zip|tar|gz|tgz|png|jpe?g|gif|svg|"
    "wav|mp3|flac|mp4|pdf|log|rst|c|cc|cpp|h|hpp|rs|go|java|rb|php|lock|model|vocab|arrow|webp|conf|env|dockerfile|gitignore|gitattributes|ckpt|msgpack|proto|docx|xlsx"
)
PATH = re.compile(
    rf"(?<![\w@/.-])\.?(?:[\w\-.]+/)*[\w\-.]+\.(?:{EXTENSIONS})(?![A-Za-z0-9_/]|\.\w|-\w)|(?<![\w.-])\.(?:gitignore|gitattributes|env|dockerignore)(?![\w.])",
    re.IGNORECASE | re.ASCII,
)
FOLDER = re.compile(r"(?<![\w@/.-])(?:[\w\-.]{2,}/)+(?![\w/])", re.ASCII)
PLAIN_FILES = re.compile(r"(?<![\w./-])(?:README|LICENSE|Dockerfile|Makefile|CHANGELOG|CONTRIBUTING|Procfile)(?![\w/-]|\.\w)", re.ASCII)
README = re.compile(
    r"(?<![A-Za-z0-9_])(?:the |its )?(?:readme|read me(?! (?:the|a|an|what|it|its|that|this|out|from|all)\b))(?: file)?(?![A-Za-z0-9_.])|自述文件|リードミー|リードメ|리드미|모델 ?카드|モデルカード|データセットカード|模型卡片?|数据卡片?|(?:model|dataset|data) card",
    re.IGNORECASE,
)
SHA = re.compile(r"(?<![A-Za-z0-9_./-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f]|\d{7,})[0-9a-f]{7,40}(?![A-Za-z0-9_/-])", re.IGNORECASE)
HEAD = re.compile(r"(?<![A-Za-z0-9_])HEAD(?:[~^]\d*)*(?![A-Za-z0-9_])")
VERSION = re.compile(
    r"(?<![A-Za-z0-9_./-])(?:v\d+(?:\.\d+)*|\d+\.\d+(?:\.\d+)+)(?:-?(?:rc|beta|alpha|b|a|post|dev)[\w.-]*)?(?![A-Za-z0-9_/-]|\.\d)",
    re.IGNORECASE | re.ASCII,
)
DATE = re.compile(r"(?<!\d)(?P<y>20\d\d)[-/.年년]\s?(?P<m>\d{1,2})(?:[-/.月월]\s?(?P<d>\d{1,2})[日号일]?)?(?!\d)")
MONTH_DAY = re.compile(r"(?<!\d)(?P<m>\d{1,2})[月월]\s?(?P<d>\d{1,2})[日号일]")
NUMBER = re.compile(r"(?<![A-Za-z0-9_./#-])#?\d{1,6}(?![A-Za-z0-9_/-]|\.\d)", re.ASCII)
IDENT = re.compile(r"@?[A-Za-z0-9](?:[A-Za-z0-9_.\-/]*[A-Za-z0-9_])?", re.ASCII)
NAME_SHAPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
