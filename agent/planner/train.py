"""Train the head from the example sentences: `python -m agent.planner.train`. Needs scikit-learn (scipy), at build time only."""

# Random numbers here only vary example sentences.
# ruff: noqa: S311

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from agent.planner.classify import HEAD_PATH
from agent.planner.document import Document
from agent.planner.encoder import encode, encoder
from agent.planner.expand import Sentence, expand, literals, parse
from agent.planner.features import ENCODER_WEIGHT, FLAG_WEIGHT, HASHES, flags, gram_counts, signs, stand_ins
from agent.planner.lexicon import load
from agent.planner.linker import index_of
from agent.planner.made_up import made_up_world
from agent.planner.mentions import resolve
from agent.planner.spans import Lexis, annotate
from agent.planner.spans_running import RUNNING_TOOLS
from agent.planner.types import LANGUAGES, PSEUDO_TOOLS, Entity, Focus, StaticWorld
from tools import examples

FORMAT = "1"
PER_PATTERN = 7
EPOCHS = 14
RATE, MOMENTUM, DECAY = 8.0, 0.9, 2e-7
log = logging.getLogger("agent.planner.train")


def digest() -> str:
    """A digest of all example files and of the format: it differs from the head's when the head is stale."""
    sha = hashlib.sha256(FORMAT.encode())
    for language in LANGUAGES:
        for path in sorted((examples.FOLDER / language).glob("*.yaml")):
            sha.update(f"{language}/{path.name}\0".encode() + path.read_bytes())
    return sha.hexdigest()


@dataclass
class Rows:
    """Feature matrices of many documents."""

    counts: sparse.csr_matrix
    dense: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def vocabulary(patterns: dict[str, dict[str, tuple[str, ...]]]) -> frozenset[str]:
    """All words written in Latin letters in the patterns of real tools and the lexicon: the words of orders."""
    texts = [
        text
        for table in patterns.values()
        for tool, lines in table.items()
        if tool not in PSEUDO_TOOLS
        for line in lines
        for text in literals(parse(line))
    ]
    for table in load("values").values():
        for value, by_lang in table.items():
            groups = by_lang.values() if value == "weak" else [by_lang]
            texts.extend(str(word) for group in groups for words in group.values() for word in words)
    return frozenset(word for text in texts for word in re.findall(r"[a-z]+(?:-[a-z]+)*", text.lower()))


def annotated(sentences: list[Sentence], world: StaticWorld, lexis: Lexis) -> list[Document]:
    """The sentences as the planner will see them at run time."""
    rng = random.Random(5)
    repos = [e for e in world.items if e.type == "repo"]
    index = index_of(world.items)
    docs = []
    for sentence in sentences:
        focus = Focus()
        if sentence.pronoun and repos and rng.random() < 0.6:
            kinds = [e for e in repos if e.kind in ("model", "dataset")]
            focus.repo = rng.choice(kinds).value
            if sentence.tool in (*RUNNING_TOOLS, "delete_deployment"):
                focus.deployment, focus.tool = focus.repo, "get_deployment"
        doc = annotate(sentence.text, world, focus, index, lexis)
        doc.language = sentence.language
        resolve(doc, focus, index)
        if sentence.tool == "restore_repo" and rng.random() < 0.7:
            _mark_deleted(doc)
        docs.append(doc)
    return docs


def _mark_deleted(doc: Document) -> None:
    for span in doc.of("repo"):
        span.entities = tuple(Entity(e.type, e.value, e.kind, deleted=True) for e in span.entities)


def rows_of(docs: list[Document], labels: list[int]) -> Rows:
    """Raw n-gram counts, embeddings and flags."""
    indptr: list[int] = [0]
    indices: list[int] = []
    values: list[int] = []
    for doc in docs:
        counts = gram_counts(signs(doc))
        indices.extend(counts)
        values.extend(counts.values())
        indptr.append(len(indices))
    matrix = sparse.csr_matrix((np.asarray(values, dtype=np.float32), indices, indptr), shape=(len(docs), HASHES))
    texts = [stand_ins(doc) or " " for doc in docs]
    unique = sorted(set(texts), key=len)
    place = {text: at for at, text in enumerate(unique)}
    vectors = encode(unique)[[place[text] for text in texts]]
    marks = np.stack([flags(doc) for doc in docs])
    dense = np.concatenate([vectors * ENCODER_WEIGHT, marks * FLAG_WEIGHT], axis=1).astype(np.float32)
    return Rows(matrix, dense, np.asarray(labels))


def weigh(counts: sparse.csr_matrix, idf: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    """Sublinear TF-IDF rows of unit length."""
    out = counts.copy()
    out.data = (1.0 + np.log(out.data)).astype(np.float32) * idf[out.indices]
    norms = np.sqrt(np.asarray(out.multiply(out).sum(axis=1)).ravel())
    norms[norms == 0] = 1.0
    return sparse.csr_matrix(sparse.diags((1.0 / norms).astype(np.float32)) @ out)


def fit(
    grams: sparse.csr_matrix,
    dense: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    classes: int,
    start: npt.NDArray[np.float32] | None = None,
    epochs: int = EPOCHS,
) -> npt.NDArray[np.float32]:
    """Softmax regression by gradient descent with momentum in mini-batches; the last row is the bias. Rare classes weigh more."""
    rng = np.random.default_rng(3)
    ones = np.ones((len(labels), 1), dtype=np.float32)
    rows = sparse.csr_matrix(sparse.hstack([grams, sparse.csr_matrix(dense), ones], format="csr", dtype=np.float32))
    weights = np.zeros((rows.shape[1], classes), dtype=np.float32) if start is None else start.copy()
    speed = np.zeros_like(weights)
    share = np.bincount(labels, minlength=classes).astype(np.float32)
    row_weight = (share.mean() / np.maximum(share, 1.0))[labels] ** 0.3
    batch, step = 256, 0
    total = epochs * (len(labels) // batch + 1)
    peak = RATE if start is None else RATE / 4
    for _ in range(epochs):
        order = rng.permutation(len(labels))
        for at in range(0, len(order), batch):
            picked = order[at : at + batch]
            step += 1
            part = rows[picked]
            logits = part @ (weights + MOMENTUM * speed)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            odds /= odds.sum(axis=1, keepdims=True)
            odds[np.arange(len(picked)), labels[picked]] -= 1.0
            odds *= row_weight[picked, None] / len(picked)
            rate = peak * (1.01 - step / total)
            speed *= MOMENTUM
            speed -= rate * np.asarray(part.T @ odds)
            weights *= 1.0 - rate * DECAY
            weights += speed
    return weights


def quantise(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """int8 weights, one scale a class, and the biases. The smallest weights, which decide nothing, are left out: the file is a third smaller."""
    body, bias = weights[:-1], weights[-1]
    scale = np.abs(body).max(axis=0) / 127.0
    steps = np.round(body / scale).astype(np.int8)
    return np.where(np.abs(steps) <= 1, np.int8(0), steps), scale.astype(np.float32), bias.astype(np.float32)


def _sentences(patterns: dict[str, tuple[str, ...]], language: str, per_pattern: int) -> list[Sentence]:
    """Sentences of one language; twice as many for what is no tool, which can be said in more ways than any order."""
    pseudo = {name: lines for name, lines in patterns.items() if name in PSEUDO_TOOLS}
    tools = {name: lines for name, lines in patterns.items() if name not in PSEUDO_TOOLS}
    return expand(tools, language, per_pattern) + expand(pseudo, language, 2 * per_pattern)


def train(path: Path = HEAD_PATH, per_pattern: int = PER_PATTERN, epochs: int = EPOCHS) -> dict[str, float]:
    """Train both heads and write them; returns figures of the run."""
    began = time.monotonic()
    encoder().threads = 2
    patterns = {language: examples.patterns(language) for language in LANGUAGES}
    words = vocabulary(patterns)
    sentences = [s for language in LANGUAGES for s in _sentences(patterns[language], language, per_pattern)]
    names = sorted({s.tool for s in sentences})
    labels = [names.index(s.tool) for s in sentences]
    lexis = Lexis(words)
    docs = annotated(sentences, made_up_world(), lexis)
    log.info("%d sentences annotated after %.0f s", len(docs), time.monotonic() - began)
    linked = rows_of(docs, labels)
    rng = random.Random(9)
    some = [at for at in range(len(sentences)) if rng.random() < 0.4]
    bare_docs = annotated([sentences[at] for at in some], StaticWorld(attachments=made_up_world().attachments), lexis)
    bare = rows_of(bare_docs, [labels[at] for at in some])
    seen = np.asarray((linked.counts > 0).sum(axis=0)).ravel()
    idf = (np.log((1 + len(docs)) / (1 + seen)) + 1.0).astype(np.float32)
    log.info("features after %.0f s", time.monotonic() - began)
    with_links = fit(weigh(linked.counts, idf), linked.dense, linked.labels, len(names), epochs=epochs)
    both = np.concatenate([linked.labels, bare.labels, bare.labels])
    bare_grams = weigh(bare.counts, idf)
    everything = sparse.csr_matrix(sparse.vstack([weigh(linked.counts, idf), bare_grams, bare_grams]))
    without = fit(
        everything, np.concatenate([linked.dense, bare.dense, bare.dense]), both, len(names), with_links, epochs=max(3, epochs // 3)
    )
    write(path, names, words, idf, {"linked": with_links, "unlinked": without})
    return {"sentences": len(sentences), "labels": len(names), "seconds": time.monotonic() - began, "bytes": path.stat().st_size}


def write(
    path: Path, names: list[str], words: frozenset[str], idf: npt.NDArray[np.float32], heads: dict[str, npt.NDArray[np.float32]]
) -> None:
    """Store the heads in one compressed file."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"idf": idf.astype(np.float16)}
    for name, weights in heads.items():
        arrays[f"{name}_weights"], arrays[f"{name}_scales"], arrays[f"{name}_biases"] = quantise(weights)
    texts = {"labels": "\n".join(names), "vocabulary": "\n".join(sorted(words)), "digest": digest()}
    np.savez_compressed(path, **arrays, **{key: np.asarray(text) for key, text in texts.items()})  # type: ignore[arg-type]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the built-in planner's head.")
    parser.add_argument("--per-pattern", type=int, default=PER_PATTERN)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    figures = train(per_pattern=options.per_pattern, epochs=options.epochs)
    log.info("%s", ", ".join(f"{key} {value:.0f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
