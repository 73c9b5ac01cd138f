"""Which addresses a URL that a stranger gave may lead to.

Public ones may be reached by anybody's wish; what is inside (loopback, private networks, link-local with the
metadata of clouds, and the rest) only where the operator allows it. Nothing is resolved here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def address_of(text: str) -> Address | None:
    """Return the address *text* is, None for a name; IPv4 in IPv6 is the IPv4 address, whoever writes it."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: Address) -> bool:
    """Whether it is somebody's on the internet: one of a single machine, and of no tunnel that hides another."""
    is_inside = address.is_multicast or address.is_reserved or address.is_link_local or address.is_loopback
    return address.is_global and not is_inside and not (isinstance(address, IPv6Address) and _leads_inside(address))


def _leads_inside(address: IPv6Address) -> bool:
    """Whether it is of a tunnel, which hides another address, or of the private networks of long ago."""
    return address.sixtofour is not None or address.teredo is not None or address.is_site_local


@dataclass(frozen=True, slots=True)
class AllowList:
    """What is reachable beyond public addresses: hosts, a port of a host, networks."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """Read `host`, `host:port`, an address or a network such as `10.0.0.0/8`. Raises `ValueError`."""
        read = [_entry(entry) for entry in entries]
        hosts = frozenset(each for each in read if isinstance(each, tuple))
        return cls(hosts, tuple(each for each in read if not isinstance(each, tuple)))

    def has_host(self, host: str, port: int) -> bool:
        """Whether the host itself is allowed, wherever it leads."""
        name = host.lower().rstrip(".")
        return (name, None) in self.hosts or (name, port) in self.hosts

    def has_address(self, address: Address) -> bool:
        """Whether the address is in an allowed network."""
        return any(address in network for network in self.networks)


def _entry(text: str) -> tuple[str, int | None] | Network:
    try:
        return ip_network(text.strip("[]"))
    except ValueError:
        if "/" in text:
            raise ValueError(f"{text!r} is no network; write it as 10.0.0.0/8") from None
    host, _, port = text.rpartition(":") if text.rpartition(":")[2].isdigit() else (text, "", "")
    name = host.strip("[]").lower().rstrip(".")
    if not name or any(sign in name for sign in " @?#*"):
        raise ValueError(f"{text!r} is no host; write host, host:port or a network such as 10.0.0.0/8")
    return name, int(port) if port else None
