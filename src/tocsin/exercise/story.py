"""The story that every delivery tells a part of: what exists, from which day to which.

Day 1 is the first of the 90 days. The crew takes a new name on day 40, the botnet is taken down on day 61.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zlib import crc32

import numpy as np

from . import wallets
from .places import Places
from .plan import moment_text

DAYS = 90
REBRAND_DAY = 40
TAKEDOWN_DAY = 61

HERON = "Grey Heron"
CINDER = "Cinder Wharf"
SALT = "Saltmarsh"
KIT = "PostBoxer"

_HOSTING = (("NL", 1, 21), ("RO", 14, 38), ("SG", 30, 52), ("ZA", 45, 61), ("CA", 66, 90))
"""Where the C2 servers stood, and when: they moved on before complaints were answered."""

BRANDS = (
    ("postelia", "en", "Postelia parcels"),
    ("bancalira", "es", "Banca Lira"),
    ("credit-aurore", "fr", "Crédit Aurore"),
    ("barid-noor", "ar", "بريد نور"),
)
_KIT_PATHS = {
    "en": ("track/redelivery", "login/verify", "pay/customs-fee"),
    "es": ("acceso/verificar", "clave/renovar", "envio/tasas"),
    "fr": ("connexion/verifier", "colis/frais", "compte/debloquer"),
    "ar": ("تسجيل/تحقق", "طرد/رسوم", "حساب/تحديث"),
}


@dataclass(frozen=True, slots=True)
class Server:
    """A machine of the criminals and the days on which it answered."""

    address: str
    port: int
    country: str
    domain: str
    from_day: int
    to_day: int


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A malware sample that exists only as random digests."""

    name: str
    md5: str
    sha1: str
    sha256: str
    day: int


@dataclass(frozen=True, slots=True)
class KitPage:
    """A page of the phishing kit on a look-alike domain of an invented brand."""

    url: str
    domain: str
    brand: str
    language: str
    day: int


@dataclass(frozen=True)
class Story:
    """Everything that happened, drawn from one seed."""

    seed: int
    until: datetime
    places: Places

    @cached_property
    def sinkhole_address_v6(self) -> str:
        ranges = self.places.ipv6
        number, _ = ranges.draw(np.array([ranges.countries.index("NL")]), self.random("sinkhole server"))
        return str(ipaddress.IPv6Address((int(number[0]) << 64) + 0x53))

    @property
    def start(self) -> datetime:
        return self.until - timedelta(days=DAYS)

    def at(self, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
        """A moment of a day of the story; day 1 is the first."""
        return self.start + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)

    def text_at(self, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> str:
        return moment_text(self.at(day, hour, minute, second))

    def random(self, topic: str) -> np.random.Generator:
        """A generator for one topic: what one topic draws never moves what another gets."""
        return np.random.default_rng([self.seed, crc32(topic.encode())])

    def uuid(self, topic: str) -> str:
        """A random-looking UUID (version 4 in form) that is always the same for the same words."""
        return str(uuid.UUID(bytes=self.random(f"uuid {topic}").bytes(16), version=4))

    @cached_property
    def c2_servers(self) -> tuple[Server, ...]:
        """The command servers of Grey Heron, six for each stay, in the order of their days."""
        random = self.random("c2")
        servers = []
        for stay, (country, from_day, to_day) in enumerate(_HOSTING):
            for place in range(6):
                begin = min(from_day + 2 * place, to_day - 4)
                servers.append(
                    Server(
                        address=self.places.one(country, random),
                        port=int(random.choice([443, 8443, 8080, 4443])),
                        country=country,
                        domain=f"quillfeather-cdn-{stay * 6 + place + 1:02}.example",
                        from_day=begin,
                        to_day=to_day,
                    )
                )
        return tuple(servers)

    @cached_property
    def sinkhole_address(self) -> str:
        return self.places.one("NL", self.random("sinkhole server"))

    @cached_property
    def samples(self) -> tuple[SampleFile, ...]:
        """Sixty samples of Grey Heron and of the crew's locker."""
        random = self.random("samples")
        found = []
        for number in range(60):
            family = "heron_loader" if number % 3 else "wharf_locker"
            digests = random.bytes(16).hex(), random.bytes(20).hex(), random.bytes(32).hex()
            found.append(SampleFile(f"{family}_{number:02}.exe", *digests, day=1 + number * 88 // 60))
        return tuple(found)

    @cached_property
    def crew_servers(self) -> tuple[Server, ...]:
        """Servers of the ransomware crew: the last two of Cinder Wharf serve Saltmarsh too."""
        random = self.random("crew")
        spans = ((8, 36), (12, 39), (18, 71), (22, 76), (40, 88), (44, 90), (51, 90))
        servers = []
        for number, (from_day, to_day) in enumerate(spans):
            country = ("PA", "SC", "MD", "BG")[number % 4]
            name = "cinderwharf-press" if number < 2 else "tideline-store" if number < 4 else "saltmarsh-archive"
            address = self.places.one(country, random)
            servers.append(Server(address, 443, country, f"{name}-{number + 1}.example", from_day, to_day))
        return tuple(servers)

    @cached_property
    def laundry_wallet(self) -> str:
        """The wallet through which both the crew's and the kit's money ran: the link between them."""
        return wallets.bitcoin_segwit(self.random("laundry").bytes(20))

    @cached_property
    def crew_wallets(self) -> tuple[str, ...]:
        """Payment addresses: the first was in the notes of both Cinder Wharf and Saltmarsh."""
        random = self.random("crew wallets")
        makers = (wallets.bitcoin, wallets.bitcoin_segwit, wallets.bitcoin, wallets.ethereum)
        return tuple(maker(random.bytes(20)) for maker in makers * 4)

    @cached_property
    def kit_wallets(self) -> tuple[str, ...]:
        random = self.random("kit wallets")
        return tuple(wallets.bitcoin(random.bytes(20)) for _ in range(6))

    @cached_property
    def kit_pages(self) -> tuple[KitPage, ...]:
        """Six hundred pages of the kit on 120 look-alike domains, day by day."""
        random = self.random("kit")
        pages = []
        for number in range(600):
            brand, language, _ = BRANDS[number % 4]
            block = number // 20
            ending = ("parcel", "secure", "login", "help", "update")[block % 5]
            domain = f"{brand}-{ending}-{block + 1:02}.example"
            path = _KIT_PATHS[language][int(random.integers(3))]
            url = f"https://{domain}/{path}?id={random.bytes(4).hex()}"
            pages.append(KitPage(url, domain, brand, language, day=5 + number * 85 // 600))
        return tuple(pages)

    def ransom_note(self, name: str) -> str:
        """The note that the crew leaves; that of Saltmarsh differs from Cinder Wharf's in a few words."""
        old = name == CINDER
        site = self.crew_servers[1 if old else 5].domain
        verb, hours = ("burned", 72) if old else ("washed", 96)
        number = self.uuid("victim " + name)[:13].upper()
        return "\r\n".join(
            (
                f"*** EXERCISE *** {name.upper()} *** EXERCISE ***",
                "",
                f"Your files were {verb} by {name}. Nothing is lost if you are quick.",
                "We copied your books, your letters and your backups before we closed the door.",
                f"You have {hours} hours. After that your data is printed on https://{site}/wall",
                "Do not call a recovery firm. Do not rename files. Do not wait for the police.",
                f"Write to harbourmaster@{site} and state your number: {number}",
                f"Payment only to: {self.crew_wallets[0]}",
                "",
                "*** This text belongs to an EXERCISE. Nobody was harmed. ***",
                "",
            )
        )


def active(servers: tuple[Server, ...], day: int) -> tuple[Server, ...]:
    """Servers that answered on that day."""
    return tuple(server for server in servers if server.from_day <= day <= server.to_day)
