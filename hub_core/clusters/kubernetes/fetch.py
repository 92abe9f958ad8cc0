"""Downloads the files of a model from the hub into a folder: the program of the init container. Standard library only.

    fetch.py HUB REPO COMMIT SECRETS FOLDER

`SECRETS` has `token` (read anew at every try: it is exchanged now and then) and `files.json` (a list of paths). What is there already
is checked and kept, what broke off goes on where it was, and each file is checked against the hash that the hub names.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

CHUNK = 1 << 20
TRIES = 8
TIMEOUT_S = 60


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to the store that the hub names, without telling it the pass."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            following.remove_header("Authorization")
        return following


class Wrong(Exception):
    """What came is not what the hub has."""


OPENER = urllib.request.build_opener(Redirects)


def ask(url: str, secrets: Path, method: str, start: int = 0) -> Any:
    """Send one request."""
    headers = {"Authorization": f"Bearer {(secrets / 'token').read_text().strip()}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return OPENER.open(urllib.request.Request(url, headers=headers, method=method), timeout=TIMEOUT_S)  # noqa: S310 - the hub's


class Unredirected(urllib.request.HTTPRedirectHandler):
    """Stays at the hub, whose answer names the hash."""

    def redirect_request(self, *_: Any) -> None:
        """No next request."""
        return


def expected(url: str, secrets: Path, hops: int = 5) -> str:
    """The hash that the hub names: sha256 of a large file, of others Git's own."""
    headers = {"Authorization": f"Bearer {(secrets / 'token').read_text().strip()}"}
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310 - the hub's
    try:
        answer = urllib.request.build_opener(Unredirected).open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code not in (301, 302, 303, 307, 308):
            raise
        answer = error
    with answer:
        named = str(answer.headers.get("X-Linked-Etag") or answer.headers.get("ETag") or "")
    moved = urllib.parse.urljoin(url, answer.headers.get("Location") or url)
    if not named and hops and moved != url and urlsplit(moved).netloc == urlsplit(url).netloc:
        return expected(moved, secrets, hops - 1)  # the repo was renamed
    return named.removeprefix("W/").strip('"')


def matches(path: Path, named: str) -> bool:
    """Whether a file is what the hub named; a name of another form says nothing."""
    if len(named) not in (40, 64):
        return True
    digest = hashlib.sha256() if len(named) == 64 else hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == named


def download(url: str, secrets: Path, target: Path) -> None:
    """One try for one file."""
    named = expected(url, secrets)
    if target.exists():
        if matches(target, named):
            return
        target.unlink()
    part = target.with_name(f".{target.name}.part")
    start = part.stat().st_size if part.exists() else 0
    try:
        with ask(url, secrets, "GET", start) as answer, part.open("ab" if answer.status == 206 else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
    if not matches(part, named):
        part.unlink()
        raise Wrong("its hash is wrong")
    part.replace(target)


def fetch(url: str, secrets: Path, target: Path, wait_s: float = 1.0) -> None:
    """A file, with several tries."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for number in range(TRIES):
        try:
            return download(url, secrets, target)
        except (OSError, HTTPException, Wrong) as error:
            why = f"{type(error).__name__}: {error}"
            if number == TRIES - 1 or (isinstance(error, urllib.error.HTTPError) and error.code == 404):
                raise SystemExit(f"{target.name} cannot be downloaded: {why}") from error
            print(f"{target.name}: {why}; trying again", file=sys.stderr, flush=True)  # noqa: T201 - a program of its own
            time.sleep(min(wait_s * 2**number, 30))
    return None


def main(hub: str, repo: str, commit: str, secrets: str, folder: str) -> None:
    """Download everything."""
    paths = json.loads((Path(secrets) / "files.json").read_text(encoding="utf-8"))
    for number, path in enumerate(paths, 1):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise SystemExit(f"{path} is no path of a repo")
        url = f"{hub}/{quote(repo)}/resolve/{quote(commit)}/{quote(path)}"
        print(f"{number}/{len(paths)} {path}", flush=True)  # noqa: T201 - a program of its own
        fetch(url, Path(secrets), Path(folder) / path)


if __name__ == "__main__":
    main(*sys.argv[1:])
