"""A hub's database with many repos, written straight into its tables: to make so many one by one would take hours."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from typing import Any

from hub_core.accounts.tables import Membership, Namespace, Org, User
from hub_core.authz import Actor, CredentialKind, Scope
from hub_core.db import Database, utcnow
from hub_core.repos import search_index
from hub_core.repos.tables import Collaborator

FAMILIES = ("llama", "mistral", "qwen", "gemma", "phi", "falcon", "bert", "t5", "whisper", "clip")
TRAITS = ("tiny", "small", "large", "chat", "instruct", "code", "math", "vision", "legal", "medical")
TAGS = ("text-generation", "translation", "summarization", "en", "zh", "ja", "ko", "pytorch", "safetensors", "gguf")
KINDS = ("model", "model", "model", "dataset", "code")
# Descriptions in four languages; every fourth repo has each.
SAID = (
    "A {trait} {kind} of the {family} family",
    "面向客服场景的{family}模型，第{number}号",
    "{family}を使った問い合わせ分類の{kind}",
    "고객 지원을 위한 {family} 기반 {kind}",
)
# One repo of a thousand has each of these.
RARE = ("zebrafish", "机器翻译", "音声認識", "감정분석")
LICENSES = ("apache-2.0", "mit", "", "cc-by-4.0")
ORGS = 200
ADMIN, PERSON = 1, 2
_COLUMNS = (
    "namespace_id", "namespace", "name", "key", "kind", "visibility", "description", "license", "default_branch", "card", "created_by",
    "created_at", "updated_at", "likes", "downloads", "initial_commit", "refs_version",
)  # fmt: skip
_BEGIN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_BATCH = 20_000


def name_of(number: int) -> str:
    """The name of the repo with this number."""
    return f"{FAMILIES[number % 10]}-{TRAITS[number // 10 % 10]}-{number}"


def org_name(number: int) -> str:
    """The name of an organisation; the first have the most repos."""
    return f"org-{number}"


def admin() -> Actor:
    """Sees everything."""
    return Actor(ADMIN, "admin", True, CredentialKind.TOKEN, Scope.READ)


def person() -> Actor:
    """Is in three organisations, and was given access to five repos."""
    return Actor(PERSON, "person", False, CredentialKind.TOKEN, Scope.READ)


def fill(url: str, count: int) -> Database:
    """Make the schema and `count` repos of 200 organisations, with tags and the search index."""
    database = Database(url)
    database.upgrade()
    _accounts(database)
    chance = random.Random(7)
    _insert(database, "repos", _COLUMNS, (_repo(number, chance) for number in range(count)))
    _insert(database, "repo_tags", ("repo_id", "tag", "source"), _tags(count, chance))
    with database.write() as session:
        session.add_all(Collaborator(repo_id=number * 7 + 1, user_id=PERSON, role="read") for number in range(5))
    with database.engine.begin() as connection:
        search_index.rebuild(connection)
    _analyze(database)
    return database


def _accounts(database: Database) -> None:
    names = ["admin", "person", *(org_name(number) for number in range(ORGS))]
    with database.write() as session:
        session.add_all(Namespace(id=number, name=name, kind="user" if number <= PERSON else "org") for number, name in enumerate(names, 1))
        session.flush()
        session.add_all(
            User(id=number, username=names[number - 1], is_admin=number == ADMIN, preferences={}, created_at=utcnow())
            for number in (ADMIN, PERSON)
        )
        session.add_all(Org(id=number, name=name, created_at=utcnow()) for number, name in enumerate(names, 1) if number > PERSON)
        session.flush()
        session.add_all(Membership(org_id=PERSON + 1 + number, user_id=PERSON, role="read") for number in (0, 50, 150))


def _repo(number: int, chance: random.Random) -> tuple[Any, ...]:
    name, kind = name_of(number), chance.choice(KINDS)
    org = min(ORGS - 1, int(chance.paretovariate(0.6)) - 1)
    said = SAID[number // 100 % 4].format(trait=TRAITS[number // 10 % 10], family=FAMILIES[number % 10], kind=kind, number=number)
    if number % 250 == 0:
        said += " " + RARE[number // 250 % 4]
    made = _BEGIN + dt.timedelta(seconds=number * 97 % 200_000_000, microseconds=number % 10**6)
    changed = made + dt.timedelta(seconds=chance.randrange(10**7))
    visibility = ("public", "internal", "private")[number // 7 % 3]
    # Half of all were never downloaded or liked.
    downloads, likes = (int(chance.paretovariate(0.7)) % 10**6, chance.randrange(50)) if chance.random() < 0.5 else (0, 0)
    return (
        PERSON + 1 + org, org_name(org), name, name, kind, visibility, said, LICENSES[number // 3 % 4], "main", "{}", ADMIN,
        made, changed, likes, downloads, "", 0,
    )  # fmt: skip


def _tags(count: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, count + 1):
        for tag in chance.sample(TAGS, 3):
            yield number, tag, "user"
        if number % 1000 == 0:
            yield number, "rare-tag", "user"


def _insert(database: Database, table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    names = tuple(columns)
    with database.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})"
            driver.executemany(statement, ([_plain(value) for value in row] for row in rows))
        else:
            with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, dt.datetime) else value


def _analyze(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
