"""How long lists, filters and searches take with 10,000, 100,000 and (`search-1m`) a million repos, on SQLite and on PostgreSQL.

Unlike the other subjects this one asks the hub's search service inside its own process, and takes the time that its statements spend in
the driver of the database, rows read. The peer of a figure is the same question among 10,000 repos, of the same run.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.driver_time import Clock, timed
from benchmarks.hub import folder
from benchmarks.postgres import available, running_postgres
from benchmarks.report import Row, quantile
from benchmarks.search_rows import FAMILIES, KINDS, ORGS, RARE, TAGS, TRAITS, admin, fill, name_of, org_name, person
from hub_core.authz import Actor
from hub_core.db import Database
from hub_core.repos.search import RepoQuery, RepoSort, SearchService

SUBJECT = "search"
BASE = 10_000
ASKED = 60
TIMES = 3
WARM_UP = 5
MOST_MS = 10.0
MOST_TIMES = 3.0
Question = Callable[[], tuple[Actor, RepoQuery]]


def measure() -> list[Row]:
    """Each kind of question 60 times, each time another one: p95."""
    return _compared(SUBJECT, 100_000)


def measure_million() -> list[Row]:
    """The same with a million repos; making them takes some minutes and 4 GB of disk."""
    return _compared(f"{SUBJECT}-1m", 1_000_000)


def _compared(subject: str, count: int) -> list[Row]:
    rows = []
    for name in ("SQLite", *(["PostgreSQL"] if available() else [])):
        base, many = (_times(name, number) for number in (BASE, count))
        for what, times in many.items():
            p50, p95, small = quantile(times, 0.5) * 1000, quantile(times, 0.95) * 1000, quantile(base[what], 0.95) * 1000
            title, peer = f"{what}, {count:,} repos, {name}", f"{BASE:,} repos"
            goal, met = f"<= {MOST_MS:.0f} ms, <= {MOST_TIMES:.0f} x", p95 <= MOST_MS and p95 <= MOST_TIMES * small
            rows.append(Row(subject, f"{title}: p50", p50, "ms", quantile(base[what], 0.5) * 1000, peer))
            rows.append(Row(subject, f"{title}: p95", p95, "ms", small, peer, goal, met))
    return rows


def _times(name: str, count: int) -> dict[str, list[float]]:
    with folder() as scratch:
        if name == "SQLite":
            return _asked(fill(f"sqlite:///{scratch / 'hub.db'}", count), count)
        with running_postgres(scratch / "postgres") as url:
            return _asked(fill(url, count), count)


def _asked(database: Database, count: int) -> dict[str, list[float]]:
    search, clock = SearchService(database), timed(database)
    found: dict[str, list[float]] = {}
    for what, question in _questions(search, count).items():
        found[what] = [_timed(search, clock, *question()) for _ in range(WARM_UP + ASKED)][WARM_UP:]
    database.close()
    return found


def _timed(search: SearchService, clock: Clock, actor: Actor, query: RepoQuery) -> float:
    """The best of some times: what else the machine had to do meanwhile is not the database's."""
    found = []
    for _ in range(TIMES):
        before = clock.seconds
        search.search(actor, query)
        found.append(clock.seconds - before)
    return min(found)


def _questions(search: SearchService, count: int) -> dict[str, Question]:
    chance = random.Random(3)
    by_downloads = _cursors(search, RepoQuery(sort=RepoSort.DOWNLOADS, limit=1000))

    def number() -> int:
        return chance.randrange(count)

    return {
        "newest": lambda: (admin(), RepoQuery()),
        "most downloads of a kind": lambda: (admin(), RepoQuery(kind=chance.choice(KINDS), sort=RepoSort.DOWNLOADS)),
        "most likes of a kind": lambda: (admin(), RepoQuery(kind=chance.choice(KINDS), sort=RepoSort.LIKES)),
        "by name": lambda: (admin(), RepoQuery(sort=RepoSort.NAME)),
        "a later page by downloads": lambda: (admin(), RepoQuery(sort=RepoSort.DOWNLOADS, cursor=chance.choice(by_downloads))),
        "of an owner": lambda: (admin(), RepoQuery(owner=org_name(chance.randrange(ORGS)))),
        "with a tag, by downloads": lambda: (admin(), RepoQuery(tags=[chance.choice(TAGS)], sort=RepoSort.DOWNLOADS)),
        "with two tags, by downloads": lambda: (admin(), RepoQuery(tags=chance.sample(TAGS, 2), sort=RepoSort.DOWNLOADS)),
        "with a rare tag": lambda: (admin(), RepoQuery(tags=["rare-tag"])),
        "with a licence": lambda: (admin(), RepoQuery(license="mit")),
        "newest, of a member of 3 organisations": lambda: (person(), RepoQuery()),
        "private ones, of a member of 3 organisations": lambda: (person(), RepoQuery(visibility="private")),
        "a common word": lambda: (admin(), RepoQuery(words=chance.choice(FAMILIES))),
        "a common word, of a member of 3 organisations": lambda: (person(), RepoQuery(words=chance.choice(FAMILIES))),
        "two words": lambda: (admin(), RepoQuery(words=f"{chance.choice(FAMILIES)} {chance.choice(TRAITS)}")),
        "two words, by downloads": lambda: (admin(), RepoQuery(words=f"{chance.choice(FAMILIES)} {chance.choice(TRAITS)}", sort=RepoSort.DOWNLOADS)),
        "a rare word, four languages": lambda: (admin(), RepoQuery(words=chance.choice(RARE))),
        "common words, Chinese, Japanese, Korean": lambda: (admin(), RepoQuery(words=chance.choice(("客服", "分類", "지원")))),
        "an exact name": lambda: (admin(), RepoQuery(words=name_of(number()))),
        "a word that nothing has": lambda: (admin(), RepoQuery(words=f"zq{number()}")),
        "part of a name, as huggingface_hub asks": lambda: (person(), RepoQuery(names=[f"{chance.choice(TRAITS)}-{number()}"[:-1]])),
    }  # fmt: skip


def _cursors(search: SearchService, query: RepoQuery) -> list[str]:
    """Cursors of places up to the middle of a list."""
    found: list[str] = []
    for _ in range(8):
        page = search.search(admin(), query)
        if page.next is None:
            break
        found.append(page.next)
        query = RepoQuery(sort=query.sort, limit=query.limit, cursor=page.next)
    return found
