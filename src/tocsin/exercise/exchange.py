"""Files of an exchange platform in the manner of abuse.ch: banners, commented headings, a closing count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from .drafts import Draft
from .packing import zipped
from .story import HERON, Story, active
from .tables import refused


def drafts(story: Story) -> Iterator[Draft]:
    for day in (18, 55):
        yield _web_addresses(story, day)
    for day in (27, 58):
        yield _c2_servers(story, day)
    for day in (37, 82):
        yield _indicators(story, day)


def _banner(story: Story, day: int, title: str) -> list[str]:
    width = 78
    words = ("EXERCISE " + title, f"Last updated: {story.at(day, 5):%Y-%m-%d %H:%M:%S} UTC", "TLP:CLEAR")
    return ["#" * width, *(f"# {word:<{width - 4}} #" for word in words), "#" * width]


def _web_addresses(story: Story, day: int) -> Draft:
    lines = [*_banner(story, day, "URLhaus-style dump"), "#"]
    lines.append("# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter")
    samples = [sample for sample in story.samples if sample.day <= day]
    servers = [server for server in story.c2_servers if server.from_day <= day]
    for number, sample in enumerate(samples, 1):
        server = servers[number % len(servers)]
        added = story.at(sample.day, 4, number % 60)
        last = f"{min(added + timedelta(days=2), story.at(day, 4)):%Y-%m-%d %H:%M:%S}"
        cells = (
            str(day * 1000 + number),
            f"{added:%Y-%m-%d %H:%M:%S}",
            f"http://{server.domain}/files/{sample.name}",
            "online" if sample.day > day - 5 else "offline",
            last,
            "malware_download",
            "EXERCISE,greyheron",
            f"https://lumen-bay.example/url/{day * 1000 + number}/",
            "exercise",
        )
        lines.append(",".join(f'"{cell}"' for cell in cells))
    content = ("\r\n".join(lines) + f"\r\n# END ({len(samples)} entries)\r\n").encode()
    return Draft(
        "lumenbay",
        f"csv_recent-{day}.zip",
        "abuse.ch-urlhaus.zip",
        zipped([("csv.txt", content)]),
        day,
        5,
        5,
        expected=refused(len(samples), {}),
        story="Places from which Grey Heron was downloaded.",
    )


def _c2_servers(story: Story, day: int) -> Draft:
    lines = [*_banner(story, day, "Botnet C2 blocklist (CSV)"), "#"]
    lines.append('"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"')
    servers = active(story.c2_servers, day)
    for server in servers:
        cells = (
            f"{story.at(server.from_day, 7, 30, 5):%Y-%m-%d %H:%M:%S}",
            server.address,
            str(server.port),
            "online",
            f"{story.at(day):%Y-%m-%d}",
            HERON,
        )
        lines.append(",".join(f'"{cell}"' for cell in cells))
    content = "\n".join([*lines, f"# END ({len(servers)}) entries"])
    return Draft(
        "lumenbay",
        f"ipblocklist-{day}.csv",
        "abuse.ch-feodo",
        content.encode(),
        day,
        5,
        20,
        expected=refused(len(servers), {}),
        story="C2 servers that answered that day.",
    )


def _indicators(story: Story, day: int) -> Draft:
    lines = [*_banner(story, day, "ThreatFox-style IOCs: CSV"), "#"]
    lines.append(
        '# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias",'
        '"malware_printable","last_seen_utc","confidence_level","reference","tags","anonymous","reporter"'
    )
    values = [(f"{server.address}:{server.port}", "ip:port", "botnet_cc") for server in active(story.c2_servers, day)]
    values += [(server.domain, "domain", "botnet_cc") for server in active(story.c2_servers, day)]
    values += [(sample.sha256, "sha256_hash", "payload") for sample in story.samples if sample.day <= day]
    for number, (value, kind, threat) in enumerate(values, 1):
        cells = (
            f"{story.at(day, 1, number % 60):%Y-%m-%d %H:%M:%S}",
            str(day * 100 + number),
            value,
            kind,
            threat,
            "exe.grey_heron",
            "None",
            HERON,
            "",
            str(50 + number % 50),
            "https://lumen-bay.example/ioc/",
            "EXERCISE,banker",
            "0",
            "exercise",
        )
        lines.append(", ".join(f'"{cell}"' for cell in cells))
    content = "\n".join([*lines, f"# Number of entries: {len(values)}", ""])
    return Draft(
        "lumenbay",
        f"threats-{day}.csv",
        "abuse.ch-threatfox",
        content.encode(),
        day,
        5,
        40,
        expected=refused(len(values), {}),
        story="Addresses, domains and digests of Grey Heron.",
    )
