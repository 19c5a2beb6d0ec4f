"""Makes names.parquet: actors and malware with all names they go by.

    python script/reference/actor_names.py CLUSTERS_FOLDER

CLUSTERS_FOLDER is data/misp-galaxy/clusters of the unpacked PyPI package pymispgalaxies (CC0 1.0; the ATT&CK clusters
under ATT&CK's own terms). Fields and texts that attribute anybody to a State are left behind.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
from tocsin.reference.countries import all_countries
from tocsin.reference.names import KEYS, NAMES, compile_keys, key_of

# In order of trust: the first one that knows an entity gives its name.
GALAXIES = {
    "mitre-intrusion-set": "actor", "threat-actor": "actor", "microsoft-activity-group": "actor",
    "mitre-malware": "malware", "mitre-tool": "malware", "malpedia": "malware", "ransomware": "malware",
    "rat": "malware", "stealer": "malware", "backdoor": "malware", "banker": "malware", "botnet": "malware",
    "cryptominers": "malware", "tool": "malware", "exploit-kit": "malware", "tds": "malware", "android": "malware",
}  # fmt: skip
STATES = re.compile(
    r"\b(state|government|military|intelligence|nation|regime|chinese|russian|iranian|korean|israeli|indian|pakistani|"
    r"vietnamese|turkish|american|ukrainian|syrian|lebanese|palestinian|arab\w*|dprk|prc|gru|fsb|svr|nsa|cia|china|"
    + "|".join(re.escape(each.name_en.lower()) for each in all_countries())
    + r")\b",
    re.IGNORECASE,
)


# "Names" that are the office somebody is said to work for.
OFFICES = re.compile(
    r"\b(pla|gru|gts\w*|fsb|svr|mss|irgc|kgb|nsa|cia|rgb|unit\W*\d+|bureau\W*\d+|ministry|army unit)\b", re.I
)


def clusters(folder: Path) -> list[dict]:
    found = []
    for galaxy, kind in GALAXIES.items():
        for value in json.loads((folder / f"{galaxy}.json").read_text("utf-8"))["values"]:
            meta = value.get("meta", {})
            name = re.sub(r" - [GS]\d{4}$", "", value["value"]).strip()
            aliases = [text.strip() for text in meta.get("synonyms", []) if isinstance(text, str)]
            aliases = [text for text in aliases if not OFFICES.search(text)]
            if OFFICES.search(name):
                continue
            describes = galaxy in {"mitre-malware", "mitre-tool"}
            for reference in meta.get("refs", []) if galaxy == "malpedia" else ():
                if match := re.search(r"malpedia\.caad\.fkie\.fraunhofer\.de/details/([a-z]+\.[a-z0-9_]+)$", reference):
                    aliases.append(match[1])
            found.append({
                "uuid": value["uuid"], "name": name, "kind": kind, "galaxy": galaxy, "aliases": aliases,
                "attack_id": meta.get("external_id", "") if galaxy.startswith("mitre-") else "",
                "description": described(value.get("description", "")) if describes else "",
                "similar": {other["dest-uuid"] for other in value.get("related", []) if other.get("type") == "similar"},
            })  # fmt: skip
    return found


def described(text: str) -> str:
    """The first sentence without links and citations; nothing when it speaks of a State."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"\(Citation:[^)]*\)", "", text))
    sentence = re.split(r"(?<=[a-z0-9)])\. |\n", text.strip())[0].strip().rstrip(".")
    return "" if not sentence or STATES.search(sentence) or len(sentence) > 220 else sentence + "."


def together(found: list[dict]) -> list[list[dict]]:
    """Clusters of one entity: same name, or named as each other's alias, or so named and marked as similar."""
    parent = list(range(len(found)))

    ids = [each["attack_id"] for each in found]

    def join(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        # ATT&CK keeps the two apart: then so do we.
        if low != high and not (ids[low] and ids[high] and ids[low] != ids[high]):
            parent[high], ids[low] = low, ids[low] or ids[high]

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    named: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, each in enumerate(found):
        named[each["kind"], key_of(each["name"])].append(number)
    aliases = [{key_of(alias) for alias in each["aliases"]} for each in found]
    for numbers in named.values():
        for number in numbers[1:]:
            join(numbers[0], number)
    for number, each in enumerate(found):
        for alias in sorted(aliases[number]):
            for other in named.get((each["kind"], alias), ()):
                marked = found[other]["uuid"] in each["similar"] or each["uuid"] in found[other]["similar"]
                if marked or key_of(each["name"]) in aliases[other]:
                    join(number, other)
    groups: dict[int, list[dict]] = defaultdict(list)
    for number, each in enumerate(found):
        groups[root(number)].append(each)
    return list(groups.values())


def entity(group: list[dict]) -> dict:
    first = group[0]
    aliases = {key_of(text): text for each in reversed(group) for text in [*each["aliases"], each["name"]]}
    # Identifiers stand in their own field; as an alias some point to two entities.
    aliases = {key: text for key, text in aliases.items() if not re.fullmatch(r"[GS]\d{4}", text)}
    aliases.pop(key_of(first["name"]), None)
    aliases.pop("", None)
    attack_id = next((each["attack_id"] for each in group if each["attack_id"]), None)
    return {
        "id": attack_id or first["uuid"],
        "name": first["name"],
        "kind": first["kind"],
        "aliases": sorted(aliases.values(), key=lambda text: (text.casefold(), text)),
        "attack_id": attack_id,
        "sources": list(dict.fromkeys(each["galaxy"] for each in group)),
        "description": next((each["description"] for each in group if each["description"]), None),
    }


def main() -> None:
    entities = [entity(group) for group in together(clusters(Path(sys.argv[1])))]
    entities = [each for each in entities if key_of(each["name"])]
    frame = pl.DataFrame(entities, infer_schema_length=None).unique("id", keep="first", maintain_order=True)
    frame.sort("kind", "name", "id").write_parquet(NAMES, compression="zstd", compression_level=19)
    compile_keys().write_parquet(KEYS, compression="zstd", compression_level=19)


if __name__ == "__main__":
    main()
