"""Orders of lists of repos, and places in them: cursors that people carry on from, and ranges that an index can read.

A place is the value that a list is ordered by, with the id of the repo after it, as many repos have the same value.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub_core.db import UtcDateTime
from hub_core.errors import InvalidInput
from hub_core.repos.tables import Repo

MAX_NUMBER = 2**53


class RepoSort(enum.StrEnum):
    """Orders of a search; all but `name` put the largest first unless `RepoQuery.ascending` says otherwise."""

    UPDATED = "updated"
    CREATED = "created"
    LIKES = "likes"
    DOWNLOADS = "downloads"
    NAME = "name"


_COLUMNS: dict[RepoSort, Any] = {
    RepoSort.UPDATED: Repo.updated_at,
    RepoSort.CREATED: Repo.created_at,
    RepoSort.LIKES: Repo.likes,
    RepoSort.DOWNLOADS: Repo.downloads,
    RepoSort.NAME: Repo.key,
}
# Those that have an index for each kind.
_BY_KIND = {RepoSort.UPDATED, RepoSort.DOWNLOADS}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repo is in an order."""

    value: Any
    repo_id: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a list, both ways."""

    sort: RepoSort
    ascending: bool = False

    @property
    def column(self) -> Any:
        """What it goes by."""
        return _COLUMNS[self.sort]

    @property
    def has_kinds(self) -> bool:
        """Whether an index gives the repos of one kind in this order."""
        return self.sort in _BY_KIND

    @property
    def up(self) -> bool:
        """Whether the smallest comes first, as is usual for names."""
        return self.ascending or self.sort is RepoSort.NAME

    def by(self) -> tuple[Any, Any]:
        """What a statement is ordered by."""
        return (self.column.asc(), Repo.id.asc()) if self.up else (self.column.desc(), Repo.id.desc())

    def place_of(self, repo: Repo) -> Place:
        """Where a repo is."""
        return Place(getattr(repo, self.column.key), repo.id)

    def after(self, place: Place) -> sa.ColumnElement[bool]:
        """Everything behind a place."""
        return sa.or_(*self.ranges(place, None))

    def ranges(self, after: Place | None, last: Place | None) -> Iterator[sa.ColumnElement[bool]]:
        """What lies behind `after`, up to `last` with it, in parts that come one after the other.

        Each part is one stretch of the index. SQLite cannot go to a place among repos with one value by a single comparison: it
        would read all of them, and half a hub has no downloads.
        """
        if after is not None and last is not None and after.value == last.value:
            yield sa.and_(self._at(after), self._beyond(Repo.id, after.repo_id), ~self._beyond(Repo.id, last.repo_id))
            return
        if after is not None:
            yield sa.and_(self._at(after), self._beyond(Repo.id, after.repo_id))
        between = [self._beyond(self.column, self._value(after))] if after is not None else []
        between += [self.column < self._value(last) if self.up else self.column > self._value(last)] if last is not None else []
        yield sa.and_(sa.true(), *between)
        if last is not None:
            yield sa.and_(self._at(last), ~self._beyond(Repo.id, last.repo_id))

    def _at(self, place: Place) -> sa.ColumnElement[bool]:
        same: sa.ColumnElement[bool] = self.column == self._value(place)
        return same

    def _beyond(self, column: Any, value: Any) -> sa.ColumnElement[bool]:
        found: sa.ColumnElement[bool] = column > value if self.up else column < value
        return found

    def _value(self, place: Place) -> Any:
        return sa.literal(place.value, self.column.type)

    # -- cursors ---------------------------------------------------------------------------------------------------

    def cursor(self, repo: Repo) -> str:
        """What a caller sends to go on after this repo."""
        place = self.place_of(repo)
        value = place.value.isoformat() if isinstance(place.value, dt.datetime) else place.value
        return base64.urlsafe_b64encode(json.dumps([self._name, value, place.repo_id]).encode()).decode()

    def read(self, cursor: str) -> Place:
        """The place that a cursor tells.

        Raises:
            InvalidInput: it was not given out for this order.
        """
        try:
            name, value, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
            if name != self._name:
                raise ValueError("other order")
            return Place(self._checked(value), _number(last_id))
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
            raise InvalidInput("This cursor does not belong to this search.", hint="Start again without a cursor.") from error

    def _checked(self, value: Any) -> Any:
        if isinstance(self.column.type, UtcDateTime):
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        return str(value) if self.sort is RepoSort.NAME else _number(value)

    @property
    def _name(self) -> str:
        return f"{self.sort}{'+' if self.ascending else ''}"


def _number(value: Any) -> int:
    if abs(int(value)) > MAX_NUMBER:
        raise ValueError("no database has such numbers")
    return int(value)
