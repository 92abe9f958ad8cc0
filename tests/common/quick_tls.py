"""Clients on loopback that need no certificates: httpx reads all of the world's for every client, which takes longer than most requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import pytest

_END = "-----END CERTIFICATE-----\n"


@contextmanager
def reading_one_certificate(folder: Path) -> Iterator[None]:
    """Let it read one instead, which is kept in a folder."""
    file = folder / "one.pem"
    file.write_text(certifi.contents().partition(_END)[0] + _END)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="package", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for a package whose tests make many clients: import this there."""
    with reading_one_certificate(tmp_path_factory.mktemp("tls")):
        yield
