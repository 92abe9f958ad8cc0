"""Clients on loopback that need no certificates: httpx reads all of the world's for every client, which takes longer than most requests."""

from __future__ import annotations

from collections.abc import Iterator

import certifi
import pytest

_END = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="package", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let it read one instead; import this where a package's tests make many clients."""
    file = tmp_path_factory.mktemp("tls") / "one.pem"
    file.write_text(certifi.contents().partition(_END)[0] + _END)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(file))
        yield
