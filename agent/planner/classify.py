"""Which tool a message asks for: linear heads over hashed n-grams, the sentence embedding and flags. Numpy only."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.planner.document import Document
from agent.planner.encoder import encode
from agent.planner.features import ENCODER_WEIGHT, FLAG_WEIGHT, HASHES, flags, grams, signs, stand_ins

HEAD_PATH = Path(__file__).parent / "head.npz"
Scores = list[tuple[str, float]]


@dataclass(frozen=True)
class Head:
    """The trained artefact: int8 weights with one scale a class, for texts whose names are linked and for texts whose names are not."""

    labels: tuple[str, ...]
    vocabulary: frozenset[str]
    digest: str
    idf: npt.NDArray[np.float32]
    weights: dict[str, npt.NDArray[np.int8]]
    scales: dict[str, npt.NDArray[np.float32]]
    biases: dict[str, npt.NDArray[np.float32]]

    def scores(self, which: str, doc: Document, embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities of all labels."""
        columns, values = grams(signs(doc), self.idf)
        weights = self.weights[which]
        dense = np.concatenate([embedding * ENCODER_WEIGHT, flags(doc) * FLAG_WEIGHT])
        logits = values @ weights[columns].astype(np.float32) + dense @ weights[HASHES:].astype(np.float32)
        logits = logits * self.scales[which] + self.biases[which]
        odds = np.exp(logits - logits.max())
        return np.asarray(odds / odds.sum(), dtype=np.float32)


def load_head(path: Path = HEAD_PATH) -> Head:
    """Read a head from its file."""
    with np.load(path, allow_pickle=False) as data:
        names = ("linked", "unlinked")
        return Head(
            labels=tuple(str(data["labels"]).split("\n")),
            vocabulary=frozenset(str(data["vocabulary"]).split("\n")),
            digest=str(data["digest"]),
            idf=data["idf"].astype(np.float32),
            weights={name: data[f"{name}_weights"] for name in names},
            scales={name: data[f"{name}_scales"].astype(np.float32) for name in names},
            biases={name: data[f"{name}_biases"].astype(np.float32) for name in names},
        )


_lock = threading.Lock()
_heads: list[Head] = []


def head() -> Head:
    """The head that ships with the package, loaded once."""
    if not _heads:
        with _lock:
            if not _heads:
                _heads.append(load_head())
    return _heads[0]


def which_head(doc: Document) -> str:
    """`unlinked` when a name is there that nothing in the world has and no repo is linked."""
    unknown = any(span.type in ("ident", "repo_ref") for span in doc.spans)
    return "unlinked" if unknown and not any(span.linked and span.type in ("repo", "token", "ssh_key") for span in doc.spans) else "linked"


def classify(docs: list[Document]) -> list[Scores]:
    """For each document all labels with their probability, likeliest first."""
    if not docs:
        return []
    model = head()
    vectors = encode([stand_ins(doc) or " " for doc in docs])
    out = []
    for doc, vector in zip(docs, vectors, strict=True):
        odds = model.scores(which_head(doc), doc, vector)
        order = np.argsort(-odds)
        out.append([(model.labels[i], float(odds[i])) for i in order])
    return out
