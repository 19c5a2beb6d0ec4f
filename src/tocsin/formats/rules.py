"""Detection rules: YARA, Suricata or Snort, Sigma. Each is kept byte for byte; indicators in it are proposals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Proposal, Rejection, Sample, Source, Thing
from tocsin.core.typed import recognise_value
from tocsin.core.words import Kind, Unit

from ._documents import marking_in
from ._extraction import propose

LIMIT_BYTES = 64 << 20
REFERENCE_CAP = 0.15
EXTERNAL = re.compile(r"\bCVE-\d{4}-\d{4,7}\b|\bT1\d{3}(?:\.\d{3})?\b|\b[GS]0\d{3}\b", re.IGNORECASE)

YARA_TOKEN = re.compile(
    rb"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
       | (?P<text>"(?:[^"\\\n]|\\.)*")
       | (?P<pattern>(?:=|matches|\() [ \t]* /(?:[^/\\\n]|\\.)+/)
       | (?P<rule>\b(?:(?:private|global)\s+){0,2}rule\s+(?P<name>[A-Za-z_]\w{0,127})\s*
         (?::(?P<tags>[\w\s]{0,1000}))?\{)
       | (?P<open>\{) | (?P<close>\})""",
    re.VERBOSE | re.DOTALL,
)
YARA_META = re.compile(r"\bmeta\s*:(.*?)(?:\n\s*(?:strings|condition)\s*:)", re.DOTALL)
YARA_PAIR = re.compile(r'^\s*(\w{1,64})\s*=\s*(?:"((?:[^"\\\n]|\\.)*)"|([\w.-]+))', re.MULTILINE)
ACTION = r"(?:alert|drop|log|pass|reject|rejectsrc|rejectdst|rejectboth|sdrop|activate|dynamic|block)"
NETWORK_RULE = re.compile(rf"^{ACTION}\s+\S+\s+\S.{{0,4000}}?\(.*\)\s*$", re.DOTALL)
OPTION = re.compile(
    r"(?:^|;|\()\s*(?P<name>msg|sid|gid|rev|classtype|reference|metadata)\s*:\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|[^;]*)"
)
SIGMA_KEYS = (b"detection:", b"logsource:", b"title:")


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A Thing for each rule followed by proposals out of it; `page` counts rules. Then the heading."""
    data = source.read_all(LIMIT_BYTES)
    kind = _language(data[: 256 << 10])
    reader = {"yara": _yara, "suricata": _suricata, "sigma": _sigma}.get(kind, _yara)
    titles: list[str] = []
    for item in reader(data):
        yield item
        if isinstance(item, Thing):
            titles.append(item.name)
            yield from _proposals(item)
    comment = data[: 64 << 10].decode("utf-8", errors="replace")
    title = titles[0] if len(titles) == 1 else source.name
    yield Heading(title=title[:300], marking=marking_in(comment), text="\n".join(titles)[: 1 << 20])


def _proposals(rule: Thing) -> Iterator[Proposal]:
    """What the rule looks for; where it refers to is no indicator."""
    text = rule.raw.decode("utf-8", errors="replace")
    cited = [
        span.span()
        for span in re.finditer(
            r"(?im)^[ \t]*-?[ \t]*(?:references?|ref|url|link|author|source|website|report)\w*[ \t]*[:=].*$"
            r"|^[ \t]*-[ \t]*'?https?://.*$|reference\s*:[^;]{0,2000};",
            text,
        )
    ]
    quoted = [span.span() for span in re.finditer(r'"(?:[^"\\]|\\.)*"', text)]
    for found in propose(text, rule.position):
        named = found.kind in {Kind.FILENAME, Kind.DOMAIN, Kind.URL}
        inside = any(begin <= found.offset < end for begin, end in quoted + cited)
        if rule.standard == "suricata" and named and not inside:
            continue  # "http.host" and the like are words of the language.
        if any(begin <= found.offset < end for begin, end in cited):
            found = replace(found, score=min(found.score, REFERENCE_CAP))
        yield found


# YARA.


def _yara(data: bytes) -> Iterator[Thing | Rejection]:
    """Rules by a scan that knows comments, texts, patterns and braces, and nothing else of the language."""
    position = depth = begin = 0
    name, tags = "", ""
    for token in YARA_TOKEN.finditer(data):
        kind = token.lastgroup
        if depth == 0 and token["rule"] is not None:
            position, depth, begin = position + 1, 1, token.start()
            name, tags = token["name"].decode(), (token["tags"] or b"").decode("ascii", "replace")
        elif depth and token["rule"] is not None:
            # A rule inside a rule: the one before was never closed.
            yield Rejection(position, Unit.OBJECT, "truncated", field=name)
            position, depth, begin = position + 1, 1, token.start()
            name, tags = token["name"].decode(), (token["tags"] or b"").decode("ascii", "replace")
        elif depth and kind == "open":
            depth += 1
        elif depth and kind == "close":
            depth -= 1
            if depth == 0:
                yield _yara_rule(name, tags, data[begin : token.end()], position)
    if depth:
        yield Rejection(position, Unit.OBJECT, "truncated", field=name)


def _yara_rule(name: str, tags: str, raw: bytes, position: int) -> Thing:
    text = raw.decode("utf-8", errors="replace")
    found = YARA_META.search(text)
    meta: dict[str, str] = {}
    for key, quoted, bare in YARA_PAIR.findall(found[1]) if found else ():
        meta.setdefault(key.lower(), quoted or bare)
    references = tuple(
        ("reference", value) for key, value in meta.items() if key.startswith(("reference", "url", "link"))
    )
    return Thing(
        standard="yara",
        type="rule",
        id=meta.get("id") or meta.get("uuid") or meta.get("yarahub_uuid") or name,
        raw=raw,
        position=position,
        version=meta.get("version") or meta.get("modified") or meta.get("last_modified") or meta.get("date") or "",
        name=name,
        labels=tuple(tags.split()),
        refs=references,
        external_ids=_external_ids(text),
        valid_from=meta.get("date", ""),
        marking=marking_in(found[1]) if found else None,
    )


def _external_ids(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.upper() for match in EXTERNAL.findall(text)))


# Suricata and Snort.


def _suricata(data: bytes) -> Iterator[Thing | Rejection]:
    """One rule a line, or several lines joined by a backslash at their ends; remarks are skipped."""
    position = 0
    pending: list[bytes] = []
    for line in data.splitlines(keepends=True):
        pending.append(line)
        if line.rstrip().endswith(b"\\"):
            continue
        raw, pending = b"".join(pending), []
        text = raw.decode("utf-8", errors="replace").strip()
        if not text or text.startswith("#"):
            continue
        position += 1
        joined = re.sub(r"\\\s*\n\s*", "", text)
        if not NETWORK_RULE.match(joined):
            yield Rejection(position, Unit.OBJECT, "invalid-object", excerpt=text[:160])
            continue
        yield _network_rule(joined, raw.strip(b"\r\n"), position)


def _network_rule(text: str, raw: bytes, position: int) -> Thing:
    options: dict[str, str] = {}
    references: list[tuple[str, str]] = []
    for found in OPTION.finditer(text):
        value = found["value"].strip().strip('"')
        options.setdefault(found["name"], value)
        if found["name"] == "reference":
            references.append(("reference", value))
    group = f"{options['gid']}:" if options.get("gid", "1") != "1" else ""
    return Thing(
        standard="suricata",
        type="rule",
        id=f"{group}{options.get('sid', '')}" or options.get("msg", "")[:200],
        raw=raw,
        position=position,
        version=options.get("rev", ""),
        name=options.get("msg", "").replace("\\", "")[:300],
        labels=tuple(filter(None, (options.get("classtype", "").strip(),))),
        refs=tuple(references),
        external_ids=_external_ids(text.replace("cve,", "CVE-").replace("CVE-CVE-", "CVE-")),
    )


# Sigma.


def _sigma(data: bytes) -> Iterator[Thing | Rejection]:
    """One rule a document; documents are parted by lines of three hyphens."""
    import yaml  # Imported late, like all that most deliveries do not need.

    position = 0
    for raw in re.split(rb"(?m)^---[ \t]*\r?\n", data):
        if not raw.strip():
            continue
        position += 1
        try:
            rule = yaml.safe_load(raw.decode("utf-8-sig"))
        except RecursionError:
            yield Rejection(position, Unit.OBJECT, "too-deep")
            continue
        except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
            yield Rejection(position, Unit.OBJECT, "invalid-object", excerpt=" ".join(str(error).split())[:160])
            continue
        if not isinstance(rule, dict) or not ("detection" in rule or "correlation" in rule or "title" in rule):
            yield Rejection(position, Unit.OBJECT, "invalid-object", excerpt=raw[:80].decode("utf-8", "replace"))
            continue
        yield _sigma_rule(rule, raw, position)


def _sigma_rule(rule: dict[object, object], raw: bytes, position: int) -> Thing:
    tags = rule.get("tags")
    labels = tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()
    references = rule.get("references")
    related = rule.get("related")
    refs = [("reference", str(entry)) for entry in references] if isinstance(references, list) else []
    for entry in related if isinstance(related, list) else []:
        if isinstance(entry, dict) and "id" in entry:
            refs.append((str(entry.get("type", "related")), str(entry["id"])))
    attack = (tag.partition(".")[2] for tag in labels if tag.lower().startswith("attack."))
    techniques = tuple(tag.upper() for tag in attack if re.fullmatch(r"[tgs]\d{4}(\.\d{3})?", tag, re.IGNORECASE))
    vulnerabilities = tuple(
        pair[1] for tag in labels if tag.lower().startswith("cve.") and (pair := recognise_value(tag.replace(".", "-")))
    )
    return Thing(
        standard="sigma",
        type="correlation" if "correlation" in rule else "rule",
        id=str(rule.get("id") or rule.get("name") or rule.get("title") or position),
        raw=raw,
        position=position,
        version=str(rule.get("modified") or rule.get("date") or ""),
        name=str(rule.get("title") or "")[:300],
        labels=labels,
        refs=tuple(refs),
        external_ids=techniques + vulnerabilities,
        valid_from=str(rule.get("date") or ""),
        revoked=rule.get("status") == "deprecated",
    )


def recognise(sample: Sample) -> int:
    return {"yara": 92, "suricata": 90, "sigma": 90}.get(_language(sample.head), 0)


def _language(head: bytes) -> str:
    """Which language of rules, if any."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<"):
        return ""
    uncommented = re.sub(rb"//[^\n]*|/\*.*?\*/", b"", head, flags=re.DOTALL)
    if re.search(
        rb"(?m)^\s*(?:(?:private|global)\s+){0,2}rule\s+[A-Za-z_]\w*\s*(?::[\w\s]{0,500})?\{", uncommented
    ) and (b"condition" in uncommented or b"strings" in uncommented):
        return "yara"
    lines = [line for line in head.splitlines() if line.strip()]
    if any(
        re.match(rb"(?:#\s*)?" + ACTION.encode() + rb"\s+(?:[a-z0-9-]+)\s+\S+\s+\S+\s+(?:->|<>|<-)\s", line)
        for line in lines
    ):
        return "suricata"
    if sum(re.search(rb"(?m)^" + key, head) is not None for key in SIGMA_KEYS) >= 2 and b"condition:" in head:
        return "sigma"
    return ""


FORMAT = Format(
    name="rules",
    title="Detection rules (YARA, Suricata or Snort, Sigma)",
    recognise=recognise,
    read=read,
    media_types=("text/x-yara", "application/x-yaml"),
    extensions=(".yar", ".yara", ".rules", ".yml", ".yaml"),
)
