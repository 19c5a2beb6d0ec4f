"""When a key for programs opens a door, and what may be asked of a new one. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tocsin.core.errors import InputError

RANGES_MOST = 50
WIDEST_BITS = {4: 8, 6: 16}
"""A network that is wider holds so many that to name it bounds nothing: an empty list says as much, and says so."""
ENDING_WITHIN = timedelta(days=30)
"""From then on its owner is reminded that a key ends."""


class Refusal(StrEnum):
    """Why a key that is known opens nothing. The one who shows it hears what a wrong key hears."""

    REVOKED = "revoked"
    EXPIRED = "expired"
    PERSON = "person"  # Its owner may no longer come in.
    ORGANISATION = "organisation"  # Nor may the organisation, or the bureau above it.
    MOVED = "moved"  # Its owner has another seat; the key was given to the old one.
    ADDRESS = "address"
    NO_CERTIFICATE = "no-certificate"
    CERTIFICATE = "certificate"  # Another one than the key is bound to.
    CERTIFICATE_ENDED = "certificate-ended"


@dataclass(frozen=True, slots=True)
class Bounds:
    """All that decides whether a key opens a door."""

    expires_at: datetime
    is_revoked: bool = False
    person_is_active: bool = True
    organisation_is_active: bool = True
    has_moved: bool = False
    ranges: tuple[str, ...] = ()
    certificate: str = ""
    certificate_ends_at: datetime | None = None


def refusal(bounds: Bounds, at: datetime, address: str, certificate: str) -> Refusal | None:
    """Why the key opens nothing at this moment, from this address, beside this certificate; None: it opens."""
    ends_at = bounds.certificate_ends_at
    checks = (
        (Refusal.REVOKED, bounds.is_revoked),
        (Refusal.EXPIRED, bounds.expires_at <= at),
        (Refusal.PERSON, not bounds.person_is_active),
        (Refusal.ORGANISATION, not bounds.organisation_is_active),
        (Refusal.MOVED, bounds.has_moved),
        (Refusal.ADDRESS, bool(bounds.ranges) and not is_within(address, bounds.ranges)),
        (Refusal.NO_CERTIFICATE, bool(bounds.certificate) and not certificate),
        (Refusal.CERTIFICATE, bool(bounds.certificate) and certificate != bounds.certificate),
        (Refusal.CERTIFICATE_ENDED, bool(bounds.certificate) and ends_at is not None and ends_at <= at),
    )
    return next((word for word, holds in checks if holds), None)


def is_within(address: str, ranges: Sequence[str]) -> bool:
    """Whether the address lies in one of these networks. What is no address lies in none."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
        known = known.ipv4_mapped
    return any(known in ipaddress.ip_network(each) for each in ranges)


def parsed_ranges(text: str) -> list[str]:
    """The networks that a text names, apart by commas or white space, each once. Raises InputError."""
    words = text.replace(",", " ").split()
    found = []
    for word in words:
        try:
            network = ipaddress.ip_network(word)
        except ValueError as error:
            # An address within a network is refused as well: whether the one or the other was meant nobody knows.
            raise InputError("not-a-network", field="ranges", excerpt=word[:60]) from error
        if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise InputError("not-a-network", field="ranges", excerpt=word[:60])
        if network.prefixlen < WIDEST_BITS[network.version]:
            raise InputError("network-too-wide", field="ranges", excerpt=word[:60])
        found.append(str(network))
    if len(found) > RANGES_MOST:
        raise InputError("invalid-object", field="ranges", excerpt=str(len(found)))
    return sorted(set(found))


def require_lifetime(at: datetime, expires_at: datetime, most_days: int) -> None:
    """Every key ends, and not later than the installation allows. Raises InputError."""
    if not at < expires_at <= at + timedelta(days=most_days):
        raise InputError("not-a-time", field="expires_at", excerpt=expires_at.isoformat())
