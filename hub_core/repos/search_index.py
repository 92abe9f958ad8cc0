"""The search index: what each repo can be found by, kept in step with its row in the same transaction, whoever changes the row.

`repo_texts` holds the folded text. `repo_terms` is an inverted index over its pieces and facets: an FTS5 table without content on
SQLite, an array with a GIN index on PostgreSQL; neither needs an extension. It may name repos that do not fit (a purged one, two pieces
with one number), never miss one that does: who asks it checks what it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from hub_core.repos.tables import Repo, RepoTag, RepoText
from hub_core.repos.terms import Findable, findable

# One of them has to be there.
AnyOf = Sequence[int]
# Names that the index has in a database, beside the declared tables.
TABLES = {
    "sqlite": frozenset({"repo_terms", "repo_terms_data", "repo_terms_idx", "repo_terms_config"}),
    "postgresql": frozenset({"repo_terms"}),
}
_CREATE = {
    "sqlite": ["CREATE VIRTUAL TABLE repo_terms USING fts5(terms, content='', columnsize=0, detail=none, tokenize='ascii')"],
    "postgresql": [
        "CREATE TABLE repo_terms (repo_id integer PRIMARY KEY REFERENCES repos (id) ON DELETE CASCADE, terms integer[] NOT NULL)"
    ],
}
# After the rows, which is many times faster.
_FINISH = {
    "sqlite": ["INSERT INTO repo_terms(repo_terms) VALUES('optimize')"],
    # Without the list of pending entries, which every search would have to read through.
    "postgresql": [
        "CREATE INDEX ix_repo_terms_terms ON repo_terms USING gin (terms) WITH (fastupdate = off)",
        # So that the statistics tell of the few thousand most common terms (see `common`).
        "ALTER TABLE repo_terms ALTER COLUMN terms SET STATISTICS 300",
    ],
}
_TAGS_SEPARATOR = "\x1f"
_FACETS = ("kind", "visibility", "license", "namespace", "namespace_id")
_SOURCES = (*_FACETS, "name", "description", "card")
_FACTS = sa.select(
    Repo.id,
    *(getattr(Repo, name) for name in _SOURCES),
    sa.select(sa.func.aggregate_strings(RepoTag.tag, _TAGS_SEPARATOR)).where(RepoTag.repo_id == Repo.id).scalar_subquery().label("tags"),
    RepoText.text,
    RepoText.facets,
).outerjoin(RepoText, RepoText.repo_id == Repo.id)
_OF_REPOS = _FACTS.where(Repo.id.in_(sa.bindparam("ids", expanding=True)))
# Whoever adds a tag holds the repo's key already; a full lock of two of them would wait for each other.
_LOCK = sa.select(Repo.id).where(Repo.id.in_(sa.bindparam("ids", expanding=True))).order_by(Repo.id).with_for_update(key_share=True)
_PAGE = _FACTS.where(Repo.id > sa.bindparam("after")).order_by(Repo.id).limit(1000)
_texts: Any = RepoText.__table__

# A table without content has to be told what it is to forget.
_FTS_FORGET = "INSERT INTO repo_terms(repo_terms, rowid, terms) VALUES ('delete', ?, ?)"
_FTS = sa.table("repo_terms", sa.column("rowid", sa.Integer))
_MATCHES = sa.literal_column("repo_terms").op("MATCH")
_ARRAYS = sa.table("repo_terms", sa.column("repo_id", sa.Integer), sa.column("terms", ARRAY(sa.Integer)))


_STATISTICS = sa.text(
    "SELECT most_common_elems::text::int[], most_common_elem_freqs FROM pg_stats"
    " WHERE schemaname = current_schema() AND tablename = 'repo_terms' AND attname = 'terms'"
)


def create(connection: sa.Connection) -> int:
    """Make the tables of the index and fill them from the repos that are there; returns how many those are."""
    for statement in _CREATE[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    count = _fill(connection)
    for statement in _FINISH[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    return count


def drop(connection: sa.Connection) -> None:
    """Remove what `create` made."""
    connection.exec_driver_sql("DROP TABLE repo_terms")
    connection.execute(sa.delete(RepoText))


def rebuild(connection: sa.Connection) -> int:
    """Make the index anew, for rows that were written past the hub; returns how many repos it has."""
    drop(connection)
    return create(connection)


def candidates(connection: sa.Connection | Session, wanted: Sequence[AnyOf]) -> sa.Select[int]:
    """Ids of all repos that have, of every one of the groups, at least one term; and maybe of others."""
    if _dialect(connection) == "sqlite":
        said = " AND ".join(f"({' OR '.join(map(_token, group))})" if len(group) > 1 else _token(group[0]) for group in wanted)
        return sa.select(_FTS.c.rowid).where(_MATCHES(said))
    needed = [group[0] for group in wanted if len(group) == 1]
    found = sa.select(_ARRAYS.c.repo_id)
    if needed:
        found = found.where(_ARRAYS.c.terms.contains(sa.cast(needed, ARRAY(sa.Integer))))
    for group in wanted:
        if len(group) > 1:
            found = found.where(_ARRAYS.c.terms.overlap(sa.cast(list(group), ARRAY(sa.Integer))))
    return found


def common(session: Session) -> dict[int, float] | None:
    """How large a share of all repos has each of the most common terms, where the database keeps such a list; others are rarer.

    None where it keeps none: there a count that stops early takes no time.
    """
    if _dialect(session) == "sqlite":
        return None
    row = session.execute(_STATISTICS).first()
    # The shares are followed by the smallest, the largest and that of rows without any.
    return dict(zip(row[0], row[1], strict=False)) if row is not None and row[0] else {}


def drifted(session: Session) -> list[int]:
    """Ids of repos whose text is not what their row says, which must not be."""
    found, after = [], 0
    while rows := session.execute(_PAGE, {"after": after}).all():
        found += [row.id for row in rows if _indexed(row) != _findable(row)]
        after = rows[-1].id
    return found


def _dialect(connection: sa.Connection | Session) -> str:
    return (connection.get_bind() if isinstance(connection, Session) else connection).dialect.name


def _fill(connection: sa.Connection) -> int:
    after = count = 0
    while rows := connection.execute(_PAGE, {"after": after}).all():
        _write(connection, [(row, _findable(row)) for row in rows])
        after, count = rows[-1].id, count + len(rows)
    return count


def _findable(row: sa.Row[Any]) -> Findable:
    tags = row.tags.split(_TAGS_SEPARATOR) if row.tags else []
    front = (row.card or {}).get("front_matter") or {}
    titles = [front[key] for key in ("pretty_name", "title") if isinstance(front.get(key), str)]
    facets = [facet(name, getattr(row, name)) for name in _FACETS]
    return findable(
        [f"{row.namespace}/{row.name}", row.license, row.description, *titles, *sorted(set(tags))],
        [*facets, *(facet("tag", tag) for tag in tags)],
    )


def facet(name: str, value: object) -> str:
    """A fact as the index has it, without regard to case."""
    return f"{name}:{value}".lower()


def _indexed(row: sa.Row[Any]) -> Findable | None:
    return Findable(row.text, row.facets) if row.text is not None else None


def _write(connection: sa.Connection, changed: Iterable[tuple[sa.Row[Any], Findable]]) -> None:
    """Index repos in the place of what the index had of them."""
    new = [(row, now) for row, now in changed if _indexed(row) != now]
    if not new:
        return
    known = [row for row, _ in new if row.text is not None]
    if connection.dialect.name == "sqlite":
        _driver(connection, _FTS_FORGET, [(row.id, _tokens(_indexed(row))) for row in known])
        _driver(connection, "INSERT INTO repo_terms(rowid, terms) VALUES (?, ?)", [(row.id, _tokens(now)) for row, now in new])
    else:
        put = "INSERT INTO repo_terms (repo_id, terms) VALUES (%s, %s::int[]) ON CONFLICT (repo_id) DO UPDATE SET terms = excluded.terms"
        _driver(connection, put, [(row.id, sorted(now.terms)) for row, now in new])
    if known:
        connection.execute(sa.delete(RepoText).where(RepoText.repo_id.in_([row.id for row in known])))
    connection.execute(sa.insert(_texts), [{"repo_id": row.id, "text": now.text, "facets": now.facets} for row, now in new])


def _driver(connection: sa.Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


def _tokens(found: Findable | None) -> str:
    return " ".join(map(_token, sorted(found.terms))) if found else ""


def _token(number: int) -> str:
    return f"{number & 0xFFFFFFFF:x}"


@sa.event.listens_for(Session, "after_flush")
def _follow(session: Session, _context: object) -> None:
    """Index the repos that a flush changed, in its transaction."""
    touched = [*session.new, *session.dirty]
    changed = {row.id for row in touched if isinstance(row, Repo) and _says_something_else(row)}
    changed |= {row.repo_id for row in (*touched, *session.deleted) if isinstance(row, RepoTag)}
    changed -= {row.id for row in session.deleted if isinstance(row, Repo)}
    if changed:
        connection, asked = session.connection(), {"ids": sorted(changed)}
        if connection.dialect.name != "sqlite":
            # Two transactions that change one repo: the second waits here, and then reads what the first one wrote.
            connection.execute(_LOCK, asked)
        _write(connection, [(row, _findable(row)) for row in connection.execute(_OF_REPOS, asked)])


@sa.event.listens_for(Session, "before_flush")
def _forget(session: Session, _context: object, _instances: object) -> None:
    """Take repos that are removed for good out of an index that has no foreign keys."""
    gone = [row.id for row in session.deleted if isinstance(row, Repo)]
    if gone and _dialect(session) == "sqlite":
        connection = session.connection()
        rows = connection.execute(_OF_REPOS, {"ids": gone}).all()
        _driver(connection, _FTS_FORGET, [(row.id, _tokens(_indexed(row))) for row in rows if row.text is not None])


def _says_something_else(row: Repo) -> bool:
    state = sa.inspect(row)
    return any(state.attrs[name].history.has_changes() for name in _SOURCES)
