"""The first commit of a new repo: every repo has a branch `main` from its first second, as clients expect."""

from __future__ import annotations

from hub_core.repos.kinds import RepoKind

INITIAL_MESSAGE = "Initial commit"

# Endings that go to LFS by default, so that weights never land in Git by accident.
LFS_SUFFIXES = ["7z", "arrow", "avro", "bin", "bz2", "ckpt", "ftz", "gguf", "gz", "h5", "joblib", "mlmodel", "model", "msgpack", "npy", "npz", "onnx", "ot", "parquet", "pb", "pickle", "pkl", "pt", "pth", "rar", "safetensors", "tar", "tflite", "tgz", "wasm", "xz", "zip", "zst", "mp3", "mp4", "wav", "flac", "ogg", "mov", "webm", "avi"]  # fmt: skip


def initial_files(kind: RepoKind, name: str, license: str, sdk: str = "") -> dict[str, bytes]:  # noqa: A002
    """Path to content of the first commit: `.gitattributes`, and a card when there is a licence or an SDK to write down."""
    lines = [f"*.{suffix} filter=lfs diff=lfs merge=lfs -text" for suffix in sorted(LFS_SUFFIXES)]
    files = {".gitattributes": ("\n".join(lines) + "\n").encode()}
    facts = {key: value for key, value in (("license", license), ("sdk", sdk)) if value}
    if facts and kind is not RepoKind.CODE:
        front = "".join(f"{key}: {value}\n" for key, value in facts.items())
        files["README.md"] = f"---\n{front}---\n\n# {name}\n".encode()
    return files
