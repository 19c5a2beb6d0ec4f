"""Makes warning_lists.csv and warnings.parquet.

    python script/reference/warning_lists.py LISTS_FOLDER

LISTS_FOLDER is data/misp-warninglists/lists of the unpacked PyPI package pymispwarninglists (lists: CC0 1.0).
"""

from __future__ import annotations

import csv
import fnmatch
import json
import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from tocsin.reference.warnings import GROUPS, LISTS, WARNINGS, write_compiled

# Names of lists (wildcards allowed) -> group. A list that no line names is not shipped: too large, or of no use here.
GROUP_OF = {
    "public-dns-*": "public-dns",
    "akamai": "cdn", "cloudflare": "cdn", "fastly": "cdn", "stackpath": "cdn",
    "amazon-aws": "cloud", "google-gcp": "cloud",
    "microsoft-azure*": "cloud", "ovh-cluster": "cloud", "github": "cloud",
    "zscaler": "cloud",
    "alexa": "top-site", "majestic_million": "top-site", "moz-top500": "top-site", "tranco10k": "top-site",
    "google": "top-site", "microsoft": "top-site", "wikimedia": "top-site",
    "security-provider-blogpost": "security-vendor", "automated-malware-analysis": "security-vendor",
    "digitalside": "security-vendor", "check-host-net": "security-vendor",
    "sinkholes": "sinkhole", "umbrella-blockpage-*": "sinkhole",
    "googlebot": "crawler", "openai-gptbot": "crawler",
    "*-scanning": "scanner", "*-scanner": "scanner", "shadowserver": "scanner", "tenable-cloud-*": "scanner",
    "google-gmail-sending-ips": "mail-provider", "smtp-*": "mail-provider",
    "disposable-email": "disposable-mail",
    "dynamic-dns": "dynamic-dns",
    "url-shortener": "url-shortener", "link-in-bio": "url-shortener",
    "vpn-*": "vpn",
    "rfc1918": "bogon", "rfc3849": "bogon", "rfc5735": "bogon", "rfc6598": "bogon", "multicast": "bogon",
    "ipv6-linklocal": "bogon",
    "rfc6761": "reserved-name", "tlds": "reserved-name", "second-level-tlds": "reserved-name",
    "empty-hashes": "empty-hash", "eicar.com": "empty-hash",
    "common-ioc-false-positive": "known-file", "ti-falsepositives": "known-file",
    "mozilla-*": "certificate-authority",
    "university_domains": "academic",
    "bank-website": "bank",
    "captive-portals": "common-service", "microsoft-office365*": "common-service", "apple": "common-service",
    "microsoft-win10-connection-endpoints": "common-service",
    "parking-domain*": "parking",
    "whats-my-ip": "own-address", "findip-host": "own-address",
    "lots-project": "shared-host", "public-ipfs-gateways": "shared-host",
    "microsoft-attack-simulator": "phishing-exercise",
    "covid*": "health",
    "dax30": "company",
    "common-contact-emails": "contact-address", "phone_numbers": "contact-address",
}  # fmt: skip


def main() -> None:
    lists: list[list[str | int]] = []
    rows: list[tuple[int, str]] = []
    for path in sorted(Path(sys.argv[1]).glob("*/list.json")):
        group = next((group for name, group in GROUP_OF.items() if fnmatch.fnmatchcase(path.parent.name, name)), None)
        content = json.loads(path.read_text("utf-8"))
        if group is None or not content["list"] or path.parent.name == "microsoft-azure-appid":
            continue
        assert group in GROUPS
        number = len(lists)
        lists.append(
            [number, path.parent.name, group, content["type"], str(content["version"]), content["name"].strip()]
        )
        rows.extend((number, entry.strip().lower()) for entry in dict.fromkeys(content["list"]) if entry.strip())
    with LISTS.open("w", encoding="utf-8", newline="") as file:
        header = ["number", "slug", "group", "type", "version", "name"]
        csv.writer(file, lineterminator="\n").writerows([header, *lists])
    frame = pl.DataFrame(rows, schema={"list": pl.UInt8, "entry": pl.String}, orient="row")
    frame.sort("list", "entry").write_parquet(WARNINGS, compression="zstd", compression_level=19)
    write_compiled()


if __name__ == "__main__":
    main()
