"""STIX patterns: whether one is well formed, and which plain comparisons it amounts to.

A plain pattern is one that any single value fulfils: one comparison, several joined by OR, or the digests
of one file joined by AND. A regular expression answers nearly all; a small recursive-descent parser, limited in
depth, knows the whole grammar of STIX 2.1 part 9 and answers the rest.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .errors import InputError
from .words import Kind

DEPTH_LIMIT = 64
LENGTH_LIMIT = 1 << 20


class Comparison(NamedTuple):
    """`value` (unescaped) is what the property `path` must equal; `kind` is OTHER for unknown paths."""

    kind: Kind
    value: str
    path: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern."""

    paths: tuple[tuple[str, ...], ...]
    """(object type, first property, further properties, ...) of each comparison, in order."""
    plain: tuple[Comparison, ...] | None
    """The comparisons it amounts to, any of which suffices; None when it is more than that."""


_HASHES = {
    "md5": Kind.MD5,
    "sha1": Kind.SHA1,
    "sha224": Kind.SHA224,
    "sha256": Kind.SHA256,
    "sha384": Kind.SHA384,
    "sha512": Kind.SHA512,
    "ssdeep": Kind.SSDEEP,
    "tlsh": Kind.TLSH,
    "imphash": Kind.IMPHASH,
}
_PATHS: dict[str, Kind] = {
    "ipv4-addr:value": Kind.IPV4,
    "ipv6-addr:value": Kind.IPV6,
    "domain-name:value": Kind.DOMAIN,
    "hostname:value": Kind.DOMAIN,
    "url:value": Kind.URL,
    "email-addr:value": Kind.EMAIL,
    "email-message:from_ref.value": Kind.EMAIL,
    "email-message:sender_ref.value": Kind.EMAIL,
    "file:name": Kind.FILENAME,
    "mutex:name": Kind.MUTEX,
    "windows-registry-key:key": Kind.REGISTRY_KEY,
    "autonomous-system:number": Kind.ASN,
    "mac-addr:value": Kind.MAC,
    "user-account:account_login": Kind.ACCOUNT,
    "user-account:user_id": Kind.ACCOUNT,
    "user-agent:value": Kind.USER_AGENT,
    "network-traffic:extensions.http-request-ext.request_header.User-Agent": Kind.USER_AGENT,
    "cryptocurrency-wallet:value": Kind.WALLET,
    "cryptocurrency-wallet:address": Kind.WALLET,
    "x-cryptocurrency-wallet:value": Kind.WALLET,
    "phone-number:value": Kind.PHONE,
    "bank-account:iban": Kind.IBAN,
    "bank-account:value": Kind.IBAN,
    "payment-card:value": Kind.CARD,
    "vulnerability:name": Kind.CVE,
    "x509-certificate:hashes.SHA-1": Kind.CERTIFICATE,
    "x509-certificate:hashes.SHA-256": Kind.CERTIFICATE,
    "network-traffic:extensions.x-ja3.ja3": Kind.JA3,
}
_ADDRESS_PATHS = frozenset({"network-traffic:dst_ref.value", "network-traffic:src_ref.value"})

_LITERAL = r"'((?:[^'\\]|\\['\\])*)'"
_NAME = r"[a-z][a-z0-9-]{2,}:(?:[a-z_]{3,}|id|hashes\.(?:[A-Za-z0-9]{3,}|'[A-Za-z0-9-]{3,}'))"
_BARE = rf"{_NAME} ?= ?'(?:[^'\\]|\\['\\])*+'"
_ONE = re.compile(rf"\[({_NAME}) ?= ?{_LITERAL}\]").fullmatch
_SOME = re.compile(rf"\[{_BARE}(?: OR {_BARE})*+\](?: OR \[{_BARE}(?: OR {_BARE})*+\])*+").fullmatch
_START = re.compile(rf"\[({_NAME}) ?= ?").fullmatch
_EACH = re.compile(rf"({_NAME}) ?= ?{_LITERAL}").findall
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def hash_kind(name: str) -> Kind | None:
    """The kind of a digest by the name of its algorithm in any spelling: SHA-256, sha256, SHA_256."""
    return _HASHES.get(name.lower().replace("-", "").replace("_", ""))


def kind_of(path: str) -> Kind:
    """Kind of a path written without quotes; remembered in the table, whose size stays bounded."""
    found = _PATHS.get(path)
    if found is not None:
        return found
    kind = Kind.OTHER
    head, _, name = path.rpartition(".")
    if head in {"file:hashes", "artifact:hashes"}:
        kind = hash_kind(name) or Kind.OTHER
    elif head == "x509-certificate:hashes" and hash_kind(name):
        kind = Kind.CERTIFICATE
    if len(_PATHS) < 2000 and len(path) < 200:
        _PATHS[path] = kind
    return kind


def _comparison(path: str, value: str) -> Comparison:
    path = path.replace("'", "")
    kind = _PATHS.get(path) or kind_of(path)
    if "\\" in value:
        value = _ESCAPE.sub(r"\1", value)
    if kind is Kind.OTHER and path in _ADDRESS_PATHS:
        kind = _host_kind(value)
    if (kind is Kind.IPV4 or kind is Kind.IPV6) and "/" in value:
        address, _, bits = value.partition("/")
        if bits == ("32" if kind is Kind.IPV4 else "128"):
            return Comparison(kind, address, path)
        return Comparison(Kind.NETWORK, value, path)
    return Comparison(kind, value, path)


def _host_kind(value: str) -> Kind:
    if ":" in value:
        return Kind.IPV6
    return Kind.IPV4 if value.replace(".", "").replace("/", "").isdigit() else Kind.DOMAIN


def plain_comparisons(pattern: str) -> list[Comparison] | None:
    """What a pattern amounts to where any one value fulfils it; None for every other, valid or not."""
    found = _ONE(pattern)
    if found is not None:
        path, value = found.groups()
        return [_comparison(path, value)]
    if len(pattern) <= LENGTH_LIMIT and _SOME(pattern) is not None:
        return [_comparison(path, value) for path, value in _EACH(pattern)]
    try:
        plain = parse(pattern).plain
    except InputError:
        return None
    return None if plain is None else list(plain)


def single_comparisons(patterns: Iterable[str]) -> tuple[list[str | None], list[str | None]]:
    """Of each pattern the kind and the value of its one comparison, written without escapes; None for all the rest.

    Thousands of patterns have few paths, so what stands before their values is read once for all of them.
    """
    known: dict[str, str | None] = {}
    kinds: list[str | None] = []
    values: list[str | None] = []
    for pattern in patterns:
        parts = pattern.rsplit("'", 2)
        start = parts[0]
        if start not in known:
            found = _START(start)
            kind = kind_of(found[1].replace("'", "")) if found else Kind.OTHER
            known[start] = None if kind is Kind.OTHER else kind.value
        said = known[start]
        if said is None or len(parts) < 3 or parts[2] != "]" or "\\" in parts[1]:
            kinds.append(None)
            values.append(None)
        else:
            kinds.append(said)
            values.append(parts[1])
    return kinds, values


def is_valid(pattern: str) -> bool:
    """Whether the pattern follows the grammar."""
    if _ONE(pattern) is not None:
        return True
    try:
        parse(pattern)
    except InputError:
        return False
    return True


def parse(pattern: str) -> Pattern:
    """Read a pattern by the whole grammar; raises InputError("not-a-pattern", "character N")."""
    if len(pattern) > LENGTH_LIMIT:
        raise InputError("too-long")
    parser = _Parser(pattern)
    tree = parser.observations(0)
    if parser.word != "":
        raise parser.error()
    comparisons = _plain(tree)
    return Pattern(tuple(parser.paths), None if comparisons is None else tuple(comparisons))


def quote(value: str) -> str:
    """A string literal of the pattern language."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


_TOKEN = re.compile(
    r"(?:[\s\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|/\*.*?\*/|//[^\r\n]*)*"
    r"(?:(?P<timestamp>t'\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?Z')"
    r"|(?P<hex>h'(?:[0-9a-fA-F]{2})*')"
    r"|(?P<binary>b'[A-Za-z0-9+/]*={0,2}')"
    r"|(?P<string>'(?:[^'\\]|\\['\\])*+')"
    r"|(?P<float>[+-]?\d*\.\d+)"
    r"|(?P<integer>[+-]?(?:0|[1-9]\d*))(?![\w.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<sign>!=|<>|==|<=|>=|[=<>\[\]().,:*])"
    r"|(?P<end>\Z))",
    re.DOTALL,
).match

_KEYWORDS = frozenset(
    {"AND", "OR", "NOT", "FOLLOWEDBY", "LIKE", "MATCHES", "ISSUPERSET", "ISSUBSET", "EXISTS", "LAST", "IN"}
    | {"START", "STOP", "SECONDS", "true", "false", "WITHIN", "REPEATS", "TIMES"}
)
_EQUAL = frozenset({"=", "==", "!=", "<>"})
_ORDER = frozenset({"<", ">", "<=", ">="})
_TEXTUAL = frozenset({"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"})

_Node = tuple[object, ...]
"""("test", path, operator, values), ("and" | "or", nodes) in brackets, ("any", nodes) of observations."""
_OPAQUE: _Node = ("opaque",)


class _Parser:
    """Recursive descent over tokens; `depth` bounds the recursion."""

    __slots__ = ("at", "end", "group", "paths", "text", "word")

    def __init__(self, text: str) -> None:
        self.text, self.end, self.at = text, 0, 0
        self.group, self.word = "", ""
        self.paths: list[tuple[str, ...]] = []
        self.step()

    def error(self) -> InputError:
        shown = self.text[self.at : self.at + 40]
        return InputError("not-a-pattern", position=f"character {self.at + 1}", excerpt=shown)

    def step(self) -> str:
        """Take the current token and look at the next; returns the one taken."""
        taken = self.word
        found = _TOKEN(self.text, self.end)
        if found is None:
            self.at = self.end
            raise self.error()
        self.group = found.lastgroup or "end"
        self.word = found[self.group]
        self.at, self.end = found.end() - len(self.word), found.end()
        return taken

    def take(self, word: str) -> None:
        if self.word != word or self.group not in {"sign", "name"}:
            raise self.error()
        self.step()

    def literal(self, groups: str) -> str:
        if self.group not in groups.split():
            raise self.error()
        if self.group == "binary":
            try:
                a2b_base64(self.word[2:-1], strict_mode=True)
            except Base64Error as wrong:
                raise self.error() from wrong
        return self.step()

    # Observations.

    def observations(self, depth: int) -> _Node:
        if depth > DEPTH_LIMIT:
            raise InputError("too-deep")
        found = self._any(depth)
        while self.group == "name" and self.word == "FOLLOWEDBY":
            self.step()
            self._any(depth)
            found = _OPAQUE
        return found

    def _any(self, depth: int) -> _Node:
        nodes = [self._all(depth)]
        while self.group == "name" and self.word == "OR":
            self.step()
            nodes.append(self._all(depth))
        return nodes[0] if len(nodes) == 1 else ("any", nodes)

    def _all(self, depth: int) -> _Node:
        found = self._observation(depth)
        while self.group == "name" and self.word == "AND":
            self.step()
            self._observation(depth)
            found = _OPAQUE
        return found

    def _observation(self, depth: int) -> _Node:
        bracketed = self.word != "("
        if not bracketed and self.group == "sign":
            self.step()
            found = self.observations(depth + 1)
            self.take(")")
        else:
            self.take("[")
            found = self._or(depth + 1)
            self.take("]")
        qualifiers: set[str] = set()
        while self.group == "name" and self.word in {"START", "WITHIN", "REPEATS"}:
            if self.word in qualifiers and bracketed:
                raise self.error()
            qualifiers.add(self.word)
            self._qualifier()
            found = _OPAQUE
        return found

    def _qualifier(self) -> None:
        word = self.step()
        if word == "START":
            self.literal("timestamp string")
            self.take("STOP")
            self.literal("timestamp string")
            return
        if self.word.startswith("-"):
            raise self.error()
        if word == "WITHIN":
            self.literal("integer float")
            self.take("SECONDS")
        else:
            self.literal("integer")
            self.take("TIMES")

    # Comparisons.

    def _or(self, depth: int) -> _Node:
        nodes = [self._and(depth)]
        while self.group == "name" and self.word == "OR":
            self.step()
            nodes.append(self._and(depth))
        return nodes[0] if len(nodes) == 1 else ("or", nodes)

    def _and(self, depth: int) -> _Node:
        nodes = [self._test(depth)]
        while self.group == "name" and self.word == "AND":
            self.step()
            nodes.append(self._test(depth))
        return nodes[0] if len(nodes) == 1 else ("and", nodes)

    def _test(self, depth: int) -> _Node:
        if depth > DEPTH_LIMIT:
            raise InputError("too-deep")
        if self.group == "sign" and self.word == "(":
            self.step()
            found = self._or(depth + 1)
            self.take(")")
            return found
        negated = self._not()
        if self.group == "name" and self.word == "EXISTS":
            self.step()
            self._path()
            return _OPAQUE
        if negated:
            raise self.error()
        path = self._path()
        negated = self._not()
        operator, values = self._operation()
        return _OPAQUE if negated else ("test", path, operator, values)

    def _not(self) -> bool:
        if self.group == "name" and self.word == "NOT":
            self.step()
            return True
        return False

    def _operation(self) -> tuple[str, list[str]]:
        ordered = "string integer float hex binary timestamp"
        if self.group == "sign" and (self.word in _EQUAL or self.word in _ORDER):
            operator = self.step()
            if operator in _EQUAL and self.group == "name" and self.word in {"true", "false"}:
                return operator, [self.step()]
            return operator, [self.literal(ordered)]
        if self.group != "name":
            raise self.error()
        if self.word in _TEXTUAL:
            return self.step(), [self.literal("string")]
        self.take("IN")
        self.take("(")
        values: list[str] = []
        while not (self.group == "sign" and self.word == ")"):
            if values:
                self.take(",")
            boolean = self.group == "name" and self.word in {"true", "false"}
            values.append(self.step() if boolean else self.literal(ordered))
        self.step()
        return "IN", values

    def _path(self) -> str:
        if self.group != "name" or self.word in _KEYWORDS:
            raise self.error()
        parts = [self.step()]
        self.take(":")
        text = parts[0] + ":" + self._property(parts)
        while self.group == "sign" and self.word in {".", "["}:
            if self.step() == ".":
                text += "." + self._property(parts)
                continue
            index = self.step() if (self.group == "sign" and self.word == "*") else self.literal("integer")
            text += f"[{index}]"
            self.take("]")
        self.paths.append(tuple(parts))
        return text

    def _property(self, parts: list[str]) -> str:
        if self.group == "string":
            name = _ESCAPE.sub(r"\1", self.step()[1:-1])
        elif self.group == "name" and "-" not in self.word:
            name = self.step()
        else:
            raise self.error()
        parts.append(name)
        return name


def _plain(node: _Node) -> list[Comparison] | None:
    """The comparisons of which any one suffices, or None."""
    if node[0] == "test":
        return _plain_test(node)
    if node[0] == "any" or node[0] == "or":
        found: list[Comparison] = []
        for inner in node[1]:  # type: ignore[attr-defined]
            some = _plain(inner)
            if some is None:
                return None
            found += some
        return found
    return _plain_and(node[1]) if node[0] == "and" else None  # type: ignore[arg-type]


def _plain_test(node: _Node) -> list[Comparison] | None:
    _, path, operator, values = node
    assert isinstance(path, str)
    assert isinstance(values, list)
    if operator == "ISSUBSET" and path in {"ipv4-addr:value", "ipv6-addr:value", *_ADDRESS_PATHS}:
        return [_comparison(path, values[0][1:-1])]
    if operator not in {"=", "==", "IN"}:
        return None
    texts = []
    for value in values:
        if value[0] == "'":
            texts.append(value[1:-1])
        elif value.isdigit():
            texts.append(value)
        else:
            return None
    return [_comparison(path, text) for text in texts]


_BESIDE_HASH = frozenset({"file:name", "file:size", "file:mime_type", "file:extensions.windows-pebinary-ext.imphash"})


def _plain_and(nodes: list[_Node]) -> list[Comparison] | None:
    """Digests of one file that must hold together: each tells the file, so its name and size add nothing.

    A reference's value beside nothing but its own type is plain as well.
    """
    if any(node[0] != "test" or node[2] not in {"=", "=="} for node in nodes):
        return None
    values = [node for node in nodes if not str(node[1]).endswith("_ref.type")]
    if len(values) == 1 and len(values) < len(nodes) and values[0][1] in _ADDRESS_PATHS:
        return _plain_test(values[0])
    hashes = [node for node in nodes if str(node[1]).startswith("file:hashes.")]
    others = {str(node[1]) for node in nodes if node not in hashes}
    names = {str(node[1]).upper().replace("-", "") for node in hashes}
    if not hashes or len(names) < len(hashes) or not others <= _BESIDE_HASH:
        return None
    found: list[Comparison] = []
    for node in hashes:
        found += _plain_test(node) or []
    return found
