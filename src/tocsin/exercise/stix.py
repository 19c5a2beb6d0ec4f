"""STIX bundles: what a threat laboratory knows of the trojan, the crew, the kit and the wallet between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .drafts import Draft
from .plan import Expected
from .story import CINDER, HERON, KIT, REBRAND_DAY, SALT, TAKEDOWN_DAY, Server, Story, active

_TLP_AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
_TLP_GREEN_20 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
Node = dict[str, Any]


def drafts(story: Story) -> Iterator[Draft]:
    for day in (3, 12, 24, REBRAND_DAY + 1, TAKEDOWN_DAY + 1, 80):
        nodes = Bundle(story, day, "2.1").nodes()
        content = json.dumps(
            {"type": "bundle", "id": f"bundle--{story.uuid(f'bundle {day}')}", "objects": nodes},
            ensure_ascii=False,
            indent=2 if day == 3 else None,
        )
        yield Draft(
            "meridian",
            f"meridian-report-{day:02}.json",
            "stix-2.1",
            content.encode(),
            day,
            15,
            10,
            expected=Expected(things=len(nodes)),
            story=_HEADLINES[day],
        )
    for day in (9, 48):
        nodes = Bundle(story, day, "2.0").nodes()
        content = json.dumps(
            {
                "type": "bundle",
                "id": f"bundle--{story.uuid(f'bundle {day}')}",
                "spec_version": "2.0",
                "objects": nodes,
            }
        )
        yield Draft(
            "sakura",
            f"sakura-{day:02}.stix2",
            "stix-2.0",
            content.encode(),
            day,
            2,
            45,
            expected=Expected(things=len(nodes)),
            story="The same family in the older standard.",
        )


_HEADLINES = {
    3: "First report: a new banking trojan, Grey Heron, spreads from Latin America and Iberia.",
    12: "Grey Heron has new samples, and its servers stay where they are.",
    24: "The C2 servers moved to another hosting network.",
    REBRAND_DAY + 1: "Cinder Wharf is now Saltmarsh: same wallet, two servers in common, nearly the same note.",
    TAKEDOWN_DAY + 1: "The botnet was taken down the day before: all its domains point to the sinkhole.",
    80: "A few servers of Grey Heron came back; Saltmarsh is still at work.",
}


class Bundle:
    """The objects of one bundle, in one version of the standard."""

    def __init__(self, story: Story, day: int, version: str) -> None:
        self.story, self.day, self.version = story, day, version
        self.author = f"identity--{story.uuid('author ' + version)}"

    def nodes(self) -> list[Node]:
        author = self._node(
            "identity", "author " + self.version, name="Laboratory (EXERCISE)", identity_class="organization"
        )
        nodes = [author, *self._marking(), *self._trojan()]
        if self.day > 20:
            nodes += self._crews()
        kind: Node = {"report_types": ["threat-report"]} if self._is_new else {"labels": ["threat-report"]}
        nodes.append(
            self._node(
                "report",
                f"report {self.day}",
                name=f"EXERCISE {_HEADLINES.get(self.day, HERON)}",
                published=self._stamp(self.day),
                object_refs=[node["id"] for node in nodes[2:]],
                **kind,
            )
        )
        return nodes

    @property
    def _is_new(self) -> bool:
        return self.version == "2.1"

    def _stamp(self, day: int) -> str:
        return self.story.at(day, 12).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _node(self, kind: str, topic: str, since: int = 0, **facts: Any) -> Node:
        node: Node = {"type": kind, "id": f"{kind}--{self.story.uuid(topic)}"}
        if self._is_new:
            node["spec_version"] = "2.1"
        created = self._stamp(since or min(self.day, 3))
        node |= {"created": created, "modified": self._stamp(self.day)}
        if kind != "identity":
            node["created_by_ref"] = self.author
            node["object_marking_refs"] = [_TLP_AMBER if self._is_new else _TLP_GREEN_20]
        return node | facts

    def _marking(self) -> list[Node]:
        if self._is_new:
            return [
                {
                    "type": "marking-definition",
                    "spec_version": "2.1",
                    "id": _TLP_AMBER,
                    "created": "2022-10-01T00:00:00.000Z",
                    "name": "TLP:AMBER",
                    "extensions": {
                        "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {
                            "extension_type": "property-extension",
                            "tlp_2_0": "amber",
                        }
                    },
                }
            ]
        return [
            {
                "type": "marking-definition",
                "id": _TLP_GREEN_20,
                "created": "2017-01-20T00:00:00.000Z",
                "definition_type": "tlp",
                "definition": {"tlp": "green"},
            }
        ]

    def _trojan(self) -> list[Node]:
        described: Node = {"malware_types": ["trojan"], "is_family": True} if self._is_new else {"labels": ["trojan"]}
        malware = self._node(
            "malware", "heron " + self.version, name=HERON, description="EXERCISE: banking trojan", **described
        )
        nodes = [malware]
        for server in active(self.story.c2_servers, self.day):
            nodes += self._indicated(server, malware)
        for sample in [sample for sample in self.story.samples if sample.day <= self.day][-8:]:
            pattern = f"[file:hashes.'SHA-256' = '{sample.sha256}' OR file:hashes.MD5 = '{sample.md5}']"
            nodes.append(self._indicator(f"sample {sample.sha256}", f"Sample {sample.name}", pattern, sample.day))
            nodes.append(self._relation(nodes[-1], "indicates", malware))
        return nodes

    def _indicated(self, server: Server, malware: Node) -> list[Node]:
        by_address = self._indicator(
            f"address {server.address} {server.domain}",
            f"C2 {server.address}",
            f"[ipv4-addr:value = '{server.address}']",
            server.from_day,
        )
        by_name = self._indicator(
            f"domain {server.domain}",
            f"C2 {server.domain}",
            f"[domain-name:value = '{server.domain}']",
            server.from_day,
        )
        links = [self._relation(node, "indicates", malware) for node in (by_address, by_name)]
        return [by_address, by_name, *links]

    def _crews(self) -> list[Node]:
        old = self._node(
            "intrusion-set", "cinder " + self.version, since=20, name=CINDER, description="EXERCISE: ransomware crew"
        )
        kinds = {"tool_types": ["credential-exploitation"]} if self._is_new else {"labels": ["credential-exploitation"]}
        kit = self._node(
            "tool", "kit " + self.version, since=20, name=KIT, description="EXERCISE: phishing kit", **kinds
        )
        nodes = [old, kit]
        if self.day > REBRAND_DAY:
            new = self._node(
                "intrusion-set",
                "salt " + self.version,
                since=REBRAND_DAY,
                name=SALT,
                aliases=[CINDER],
                description="EXERCISE: the crew under its new name",
            )
            nodes += [new, self._relation(new, "related-to", old)]
        wallet = self.story.crew_wallets[0]
        pattern = f"[cryptocurrency-wallet:address = '{wallet}']"
        nodes.append(self._indicator(f"wallet {wallet}", "Payment address in both notes", pattern, 22))
        nodes.append(self._relation(nodes[-1], "indicates", old))
        for server in active(self.story.crew_servers, self.day):
            pattern = f"[domain-name:value = '{server.domain}' AND ipv4-addr:value = '{server.address}']"
            nodes.append(
                self._indicator(f"crew {server.address}", f"Leak site {server.domain}", pattern, server.from_day)
            )
            nodes.append(self._relation(nodes[-1], "indicates", old))
        return nodes

    def _indicator(self, topic: str, name: str, pattern: str, since: int) -> Node:
        kinds = (
            {"indicator_types": ["malicious-activity"], "pattern_type": "stix"}
            if self._is_new
            else {"labels": ["malicious-activity"]}
        )
        return self._node(
            "indicator",
            f"{topic} {self.version}",
            since=since,
            name=f"EXERCISE {name}",
            pattern=pattern,
            valid_from=self._stamp(since),
            **kinds,
        )

    def _relation(self, source: Node, word: str, target: Node) -> Node:
        return self._node(
            "relationship",
            f"{source['id']} {word} {target['id']}",
            relationship_type=word,
            source_ref=source["id"],
            target_ref=target["id"],
        )
