"""Where clients may have us push to (spec 13.2): checked when it is asked for, and again whenever we connect.

A name is judged by the addresses it has at that moment, and the connection goes to one of those: a name that leads
somewhere else a moment later does not get past. The same parser reads the URL here and for the request.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override
from yarl import URL

from coordinator.addresses import Address, AllowList, address_of, is_public

MOST_URL = 2048
RESOLVING_S = 5.0
SCHEMES = ("https", "http")


class TargetRefused(OSError):
    """We do not push there; an `OSError`, so that a connection that would lead there fails as connections do."""


class PushTargets:
    """Judges URLs and addresses; *allow* is what the operator permits, *names* resolves (the system does, if None)."""

    def __init__(self, allow: Iterable[str] = (), names: AbstractResolver | None = None) -> None:
        self._allow = AllowList.of(allow)
        self._names = names

    def form(self, text: str) -> URL:
        """Return the URL, judged as far as it can be without resolving. Raises `TargetRefused`."""
        url = _parsed(text)
        host, port = url.raw_host or "", url.port or 0
        if url.scheme not in SCHEMES or not host or not port:
            raise TargetRefused("give a URL such as https://host/path")
        if url.user is not None or url.password is not None:
            raise TargetRefused("give secrets in token or authentication, not in the URL")
        address = address_of(host)
        if address is not None:
            self.admit(url.scheme, host, port, address)
        elif _is_number(host):
            raise TargetRefused("write the address as four numbers, such as 192.0.2.1")
        return url

    async def check(self, text: str) -> None:
        """Judge a URL with what its name leads to now. Raises `TargetRefused`."""
        url = self.form(text)
        host, port = url.raw_host or "", url.port or 0
        if address_of(host) is not None:
            return
        try:
            async with asyncio.timeout(RESOLVING_S):
                await self.resolver(url.scheme).resolve(host, port, socket.AF_UNSPEC)
        except TargetRefused:
            raise
        except OSError as error:  # also a timeout
            raise TargetRefused(f"the host {host} cannot be resolved") from error

    def resolver(self, scheme: str) -> AbstractResolver:
        """Return what resolves names for connections of *scheme*, to admitted addresses only."""
        return _Guarded(self, scheme, self._names or ThreadedResolver())

    def admit(self, scheme: str, host: str, port: int, address: Address) -> None:
        """Raise `TargetRefused` unless *address* of *host* may be reached: it is told neither what nor where it is."""
        if self._allow.has_host(host, port) or self._allow.has_address(address):
            return
        if not is_public(address):
            raise TargetRefused(f"{host} does not lead to a public address, and push_allow does not permit it")
        if scheme != "https":
            raise TargetRefused("use https: what is pushed is not for everybody; push_allow permits http")


class _Guarded(AbstractResolver):
    """Resolves, and refuses a name as soon as one of its addresses is not admitted."""

    def __init__(self, targets: PushTargets, scheme: str, names: AbstractResolver) -> None:
        self._targets, self._scheme, self._names = targets, scheme, names

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        for each in found:
            address = address_of(each["host"])
            if address is None:
                raise TargetRefused(f"{host} leads to something that is no address")
            self._targets.admit(self._scheme, host, port, address)
        return found

    @override
    async def close(self) -> None:
        await self._names.close()


def _parsed(text: str) -> URL:
    if len(text) > MOST_URL or not text.isprintable() or any(sign in text for sign in " \\"):
        raise TargetRefused(f"it is no URL, or one of more than {MOST_URL} characters")
    try:
        return URL(text)
    except ValueError as error:
        raise TargetRefused(f"it is no URL: {error}") from error


def _is_number(host: str) -> bool:
    """Whether systems read the name as an address in a form of old, such as 127.1, 0x7f.1 or 2130706433."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or last.startswith("0x")
