"""Which addresses the hub may be made to send to.

Somebody who may name an address must not reach through the hub what only the hub can reach: itself, its machine, the metadata service of
its cloud. Names are resolved once, and the connection goes to the very address that was checked. An in-house hub has to reach in-house
systems, so private networks are open; what else is local has to be listed in `HUB_WEBHOOK_HOSTS`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub_core.errors import InvalidInput, Unavailable, UnsafeAddress

MAX_URL = 2000
_MAX_TRIED = 4
_PORTS = {"http": 80, "https": 443}
_PRIVATE = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
# Metadata and control services of clouds that are not link-local, and what older Pythons take for global.
_CONTROL = [ipaddress.ip_network(net) for net in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.0/24")]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ODD = re.compile(r"[\s\x00-\x20\x7f\\]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """An address to send to. `path` has the query, and is never shown or logged: it may carry a secret."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """The part that may be logged."""
        return f"{self.scheme}://{self.host}"


def listed(setting: str) -> frozenset[str]:
    """`HUB_WEBHOOK_HOSTS` as a set of `host` and `host:port`."""
    return frozenset(part.strip().lower() for part in setting.split(",") if part.strip())


def check_url(url: str, allowed: frozenset[str]) -> Target:
    """The parts of an address that is acceptable as far as one can tell without resolving its name.

    Raises:
        InvalidInput: not an http or https address, or with a user name in it. UnsafeAddress: it names a refused IP address.
    """
    if len(url) > MAX_URL or _ODD.search(url):
        raise InvalidInput("This is not an address.", hint="For example: https://ci.example.com/hook")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").encode("idna").decode().lower()
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except (ValueError, UnicodeError) as error:
        raise InvalidInput("This is not an address.", hint="For example: https://ci.example.com/hook") from error
    if parts.scheme not in _PORTS or not host or not port:
        raise InvalidInput("An address begins with http:// or https://.", hint="For example: https://ci.example.com/hook")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("An address has no user name or password in it.", hint="Use the webhook's secret.")
    target = Target(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    literal = _literal(host)
    if host == "localhost" or (literal is not None and not _is_open(literal)):
        _require_listed(target, allowed)
    return target


def connect(target: Target, allowed: frozenset[str], timeout_s: float) -> socket.socket:
    """A connection to an address that the target's name has now and that is not refused.

    Raises:
        UnsafeAddress: it has only refused ones. Unavailable: nothing answers there.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"The name {target.host} cannot be resolved.") from error
    fine = (
        found
        if _is_listed(target, allowed)
        else [entry for entry in found if _is_open(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]))]
    )
    if not fine:
        raise _unsafe(target)
    for family, kind, protocol, _, address in fine[:_MAX_TRIED]:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            return connection
    raise Unavailable(f"Nothing answers at {target.shown}.")


def _is_open(address: Address) -> bool:
    inner = _inside(address)
    if inner is not None:
        return _is_open(inner)
    if any(address in net for net in _CONTROL) or address.is_multicast:
        return False
    return address.is_global or any(address in net for net in _PRIVATE)


def _inside(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_listed(target: Target, allowed: frozenset[str]) -> bool:
    return target.host in allowed or f"{target.host}:{target.port}" in allowed


def _require_listed(target: Target, allowed: frozenset[str]) -> None:
    if not _is_listed(target, allowed):
        raise _unsafe(target)


def _unsafe(target: Target) -> UnsafeAddress:
    return UnsafeAddress(
        f"The hub does not send to {target.host}: the address is local to its machine or network.",
        hint="An administrator can list the host in HUB_WEBHOOK_HOSTS.",
    )
