"""The peer of the REST measurement: the least one can write with FastAPI and SQLAlchemy to answer with one row."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

app = FastAPI()
engine = create_engine(os.environ.get("PEER_DATABASE", "sqlite://"))


class Base(DeclarativeBase):
    """Tables of the peer."""


class Repo(Base):
    """One repo in one row."""

    __tablename__ = "repo"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="model")
    visibility: Mapped[str] = mapped_column(default="private")
    description: Mapped[str] = mapped_column(default="Answers support tickets")
    license: Mapped[str] = mapped_column(default="apache-2.0")
    owner: Mapped[str] = mapped_column(default="admin")
    likes: Mapped[int] = mapped_column(default=0)
    downloads: Mapped[int] = mapped_column(default=0)
    updated_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    head: Mapped[str] = mapped_column(default="0" * 40)


class Question(BaseModel):
    """Which repo."""

    repo: str


class Answer(BaseModel):
    """The row."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str
    visibility: str
    description: str
    license: str
    owner: str
    likes: int
    downloads: int
    updated_at: datetime
    head: str


@app.post("/repo")
def get_repo(question: Question) -> Answer:
    """One row by its key."""
    with Session(engine) as session:
        row = session.scalar(select(Repo).where(Repo.id == question.repo))
        if row is None:
            raise HTTPException(404)
        return Answer.model_validate(row)


@app.get("/repo/{namespace}/{name}")
def see_repo(namespace: str, name: str) -> Answer:
    """The same, asked by GET."""
    return get_repo(Question(repo=f"{namespace}/{name}"))


def fill(url: str, repo: str) -> None:
    """Make the table with 1,000 rows, `repo` among them."""
    made = create_engine(url)
    Base.metadata.create_all(made)
    with Session(made) as session:
        session.add_all([Repo(id=repo), *(Repo(id=f"admin/other-{number}") for number in range(999))])
        session.commit()
    made.dispose()
