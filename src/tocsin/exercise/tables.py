"""Small tables and plain lists, each with the habits and the mistakes of the partner who keeps it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from .drafts import Draft
from .packing import gzipped, xz, zst
from .plan import Expected, Outcome
from .story import CINDER, DAYS, KIT, SALT, Story, active

_MADRID = ZoneInfo("Europe/Madrid")
_PUBLIC_RESOLVER = "9.9.9.9"
_CONTENT_NETWORK = "104.16.132.229"
"""Values that warning lists hold: a careless partner put a resolver and a content network on a blocklist."""


def drafts(story: Story) -> Iterator[Draft]:
    yield from _bank_tables(story)
    yield from _telecom_tables(story)
    yield _payments(story)
    yield from _blocklists(story)
    yield from _domain_lists(story)
    yield from _address_lists(story)
    yield from _url_lists(story)
    yield _digest_list(story)


def refused(rows: int, rejections: Mapping[str, int], repeats: int = 0) -> Expected:
    """What is expected of a file with exactly these counts."""
    outcome = Outcome.ACCEPTED_WITH_REJECTIONS if rejections else Outcome.ACCEPTED
    return Expected(outcome, rows=rows, repeats=repeats, rejections=dict(rejections))


def victims(story: Story, topic: str, countries: Sequence[str], count: int) -> list[tuple[str, str]]:
    """Distinct victims' addresses with the country they are in."""
    random, ranges = story.random(topic), story.places.ipv4
    places = np.array([ranges.countries.index(code) for code in countries])
    drawn = random.choice(places, count)
    numbers, _ = ranges.draw(drawn, random)
    found = {
        str(ipaddress.IPv4Address(int(number))): ranges.countries[place]
        for number, place in zip(numbers, drawn, strict=True)
    }
    return list(found.items())


def _bank_tables(story: Story) -> Iterator[Draft]:
    """Customers of a bank whose sessions showed the trojan: Spanish headings, local time, day first."""
    for number, day in enumerate((11, 29, 47, 66)):
        random = story.random(f"bank {day}")
        lines = ["Fecha y hora;IP del cliente;Puerto;País;Observación;Marca"]
        people = victims(story, f"bank {day}", ("ES", "PT", "MX", "CO", "AR"), 340)
        for address, country in people:
            moment = story.at(day) - timedelta(minutes=int(random.integers(10, 7_000)))
            local = moment.astimezone(_MADRID).strftime("%d/%m/%Y %H:%M")
            lines.append(f"{local};{address};{random.integers(1024, 65536)};{country};inyección web;EXERCISE")
        stamp = (story.at(day) - timedelta(days=1)).strftime("%d/%m/%Y %H:%M")
        future = (story.until + timedelta(days=900)).strftime("%d/%m/%Y %H:%M")
        public = story.c2_servers[number].address
        lines[100:100] = [
            f"{stamp};256.1.1.1;443;ES;tecleado a mano;EXERCISE",
            f"{stamp};{public};443;Frnace;tecleado a mano;EXERCISE",
            f"{future};{public};443;ES;reloj mal puesto;EXERCISE",
            f"{stamp};10.8.0.{number + 2};443;ES;red interna;EXERCISE",
            f"{stamp};{public};443;ES;tecleado; a mano;EXERCISE",
        ]
        refusals = {
            "not-an-address": 1,
            "not-a-country": 1,
            "time-in-future": 1,
            "not-public": 1,
            "wrong-width": 1,
        }
        # Twenty rows were exported twice by the bank's own report tool.
        lines += lines[1:21]
        yield Draft(
            organisation="almendra",
            name=f"informe_clientes_{number + 1:02}.csv.zst",
            format="delimited-csv.zst",
            content=zst(("\n".join(lines) + "\n").encode()),
            day=day,
            hour=14,
            minute=5,
            profile="clientes",
            expected=refused(len(people), refusals, repeats=20),
            story="Customers of a bank whose sessions showed Grey Heron; some rows were typed by hand.",
        )


def _telecom_tables(story: Story) -> Iterator[Draft]:
    """Customers of a telecom that talk to the C2 servers: odd headings, bars, xz."""
    for number, day in enumerate((25, 50, 70)):
        random = story.random(f"telecom {day}")
        lines = ["row|when (utc)|cust addr #1|ctry|sev!|talks to|talks to port|free text / remarks|lbl"]
        people = victims(story, f"telecom {day}", ("IN", "BD", "LK", "NP"), 260)
        servers = active(story.c2_servers, day)
        for place, (address, country) in enumerate(people, 1):
            moment = story.at(day) - timedelta(minutes=int(random.integers(10, 2_800)))
            server = servers[place % len(servers)]
            # Every fortieth note is a formula that a careless spreadsheet would run.
            note = "=cmd|' /C calc'!A0" if place % 40 == 0 else "@SUM(1+1)*cmd" if place % 40 == 20 else "seen in flow"
            note = f'"{note}"' if "|" in note else note
            cells = (
                place,
                f"{moment:%Y-%m-%d %H:%M:%S}",
                address,
                country,
                "high",
                server.address,
                server.port,
            )
            lines.append("|".join(map(str, cells)) + f"|{note}|EXERCISE")
        stamp = f"{story.at(day) - timedelta(hours=5):%Y-%m-%d %H:%M:%S}"
        lines[60:60] = [
            f"0|{stamp}|100.64.3.{number + 1}|IN|high|{servers[0].address}|443|carrier-grade address|EXERCISE",
            f"0|{stamp}|{servers[0].address}|IN|high|||seen | typed by hand|EXERCISE",
        ]
        yield Draft(
            organisation="orchard",
            name=f"cust-export-{number + 1}.txt.xz",
            format="delimited-csv.xz",
            content=xz(("\r\n".join(lines) + "\r\n").encode()),
            day=day,
            hour=7,
            minute=30,
            profile="customers",
            expected=refused(len(people), {"not-public": 1, "wrong-width": 1}),
            story="Customers of a telecom that talk to C2 servers; some remarks are spreadsheet formulas.",
        )


def _payments(story: Story) -> Draft:
    """Payment addresses that a police unit followed: tab-separated UTF-16 from a spreadsheet."""
    lines = ["data\tendereço da carteira\tpaís\tgrupo\tnota\tmarca"]
    for number, wallet in enumerate(story.crew_wallets[:12]):
        group = CINDER if number < 6 else SALT
        lines.append(f"{story.text_at(33 + number)}\t{wallet}\tBR\t{group}\tresgate pago\tEXERCISE")
    for number, wallet in enumerate(story.kit_wallets):
        lines.append(f"{story.text_at(50 + number)}\t{wallet}\tPT\t{KIT}\tvenda de dados\tEXERCISE")
    note = "=HYPERLINK('https://porto-ledger.example';'ver') recebe do grupo e do kit"
    lines.append(f"{story.text_at(57)}\t{story.laundry_wallet}\tBR\tlaundry\t{note}\tEXERCISE")
    broken = story.crew_wallets[0][:-1] + ("A" if story.crew_wallets[0][-1] != "A" else "B")
    lines.append(f"{story.text_at(57)}\t{broken}\tBR\t{CINDER}\tcopiado à mão\tEXERCISE")
    return Draft(
        organisation="porto",
        name="carteiras.tsv",
        format="delimited-tsv-utf-16",
        content=("\r\n".join(lines) + "\r\n").encode("utf-16"),
        day=58,
        hour=17,
        profile="carteiras",
        expected=refused(19, {"not-a-wallet": 1}),
        story="The laundering wallet takes money of the crew and of the kit: the two are linked.",
    )


def _blocklists(story: Story) -> Iterator[Draft]:
    """Addresses on a blocklist, two of which no one should block."""
    for day in (34, 76):
        servers = [server.address for server in story.crew_servers + story.c2_servers if server.from_day <= day]
        lines = [
            "# EXERCISE blocklist of Kestrel Hosting",
            f"# entries: {len(servers) + 4}",
            "; one address a line",
        ]
        lines += [f"{address}   # complaint {place}" for place, address in enumerate(servers, 100)]
        lines += [_PUBLIC_RESOLVER, _CONTENT_NETWORK, "192.168.0.10", "0.0.0.0/0"]
        yield Draft(
            organisation="kestrel",
            name=f"blocklist-{day}.txt.gz",
            format="address-list.gz",
            content=gzipped(["\n".join(lines).encode() + b"\n"]),
            day=day,
            hour=6,
            profile="blocklist",
            expected=refused(len(servers) + 2, {"not-public": 1, "not-a-network": 1}),
            story="A blocklist with a public resolver and a content network in it: warning lists mark both.",
        )


def _domain_lists(story: Story) -> Iterator[Draft]:
    domains = sorted({page.domain for page in story.kit_pages})
    shown = ["# EXERCISE look-alike domains of the PostBoxer kit (defanged)", "pos****lia-login.example"]
    shown += [domain.replace(".", "[.]") for domain in domains[:80]]
    yield Draft(
        "tallis",
        "postboxer-domains.txt",
        "domain-list",
        ("\n".join(shown) + "\n").encode(),
        44,
        11,
        profile="phishing-domains",
        expected=refused(80, {"placeholder": 1}),
        story="Look-alike domains of invented brands, defanged; one is masked and so of no use.",
    )
    hosts = [
        "# EXERCISE hosts file",
        "127.0.0.1 localhost",
        *(f"0.0.0.0 {domain}" for domain in domains[60:]),
    ]
    yield Draft(
        "tallis",
        "hosts",
        "hosts-file",
        ("\n".join(hosts) + "\n").encode(),
        73,
        11,
        profile="phishing-domains",
        expected=Expected(rows=len(domains[60:])),
        story="The same kit's domains as a hosts file.",
    )
    servers = sorted({server.domain for server in story.c2_servers})
    content = "// EXERCISE: domains of Grey Heron\r\n" + "\r\n".join(servers) + "\r\n"
    yield Draft(
        "meridian",
        "heron-c2-domains.list",
        "domain-list",
        content.encode("utf-8-sig"),
        63,
        8,
        profile="c2-domains",
        expected=refused(len(servers), {}),
        story="Every C2 domain that was seized on the day of the take-down.",
    )


def _address_lists(story: Story) -> Iterator[Draft]:
    for day in (15, 35, 53):
        servers = [server.address for server in active(story.c2_servers, day)]
        lines = [f"# EXERCISE C2 addresses of Grey Heron, {story.at(day):%Y-%m-%d}", *servers, servers[0]]
        yield Draft(
            "meridian",
            f"heron-c2-{day}.txt",
            "address-list",
            ("\n".join(lines) + "\n").encode(),
            day,
            8,
            20,
            profile="c2-addresses",
            expected=refused(len(set(servers)), {}, repeats=len(lines) - 1 - len(set(servers))),
            story="C2 servers on the day they were seen: the hosting network is another one each time.",
        )


def _url_lists(story: Story) -> Iterator[Draft]:
    for day in (20, 42, 64, DAYS - 3):
        pages = [page.url for page in story.kit_pages if day - 20 <= page.day < day]
        lines = ["# EXERCISE PostBoxer pages", *pages, "not a web address", pages[0]]
        shown = [line.replace("https://", "hxxps://") if number % 2 else line for number, line in enumerate(lines)]
        shown[-1] = shown[1]
        yield Draft(
            "tallis",
            f"postboxer-pages-{day}.txt.gz",
            "url-list.gz",
            gzipped(["\n".join(shown).encode() + b"\n"]),
            day,
            10,
            15,
            profile="phishing-urls",
            expected=refused(len(pages), {"not-a-value": 1}, repeats=1),
            story="Pages of the kit in four languages, half of them defanged.",
        )


def _digest_list(story: Story) -> Draft:
    lines = ["# EXERCISE digests of Grey Heron samples"]
    for sample in story.samples:
        lines += [sample.md5, sample.sha1, sample.sha256]
    lines.append("zz" + story.samples[0].md5[2:])
    return Draft(
        "sakura",
        "heron-digests.txt",
        "hash-list",
        ("\n".join(lines) + "\n").encode(),
        31,
        3,
        profile="sample-digests",
        expected=refused(len(story.samples) * 3, {"not-a-value": 1}),
        story="Digests of samples; the last one was damaged in copying.",
    )
