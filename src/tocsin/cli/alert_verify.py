"""`tocsin alert verify FILE…`: is it what its issuer signed? Anywhere, offline, without an installation."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click
import orjson

from tocsin.credentials.alert_verification import Keys, Outcome, Verdict, check_cap, check_detached, keys_in, worst
from tocsin.products.alerts.addresses import KEYS, SIGNATURE, SITE_LIST

_ANY = click.Path(exists=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
CAP_ENDING = ".cap.xml"
MANIFEST_ENDING = ".manifest.json"
PACKED = ".gz"
LARGEST_BYTES = 256 << 20
UP = 6
"""How many folders above a file its keys and lists are looked for."""
SENTENCES = {
    Outcome.VERIFIED: "as it was signed",
    Outcome.ALTERED: "not what was signed: the file or its signature was changed, or a key signed it that is not here",
    Outcome.OTHER_KEY: "signed with another key than the one that you gave",
    Outcome.CERTIFICATE_OVER: "signed with a certificate that was over, or did not hold yet, when the message was sent",
    Outcome.UNREADABLE: "cannot be read: the file or its signature is damaged",
    Outcome.MISSING: "missing: it was signed, and is not there",
    Outcome.NOT_SIGNED: "not signed: there is no signature beside it, in it, or in a signed list of files",
    Outcome.NO_KEY: "cannot be checked: no key was given, and none lies beside it in a folder “keys”",
}


@dataclass
class _Tree:
    """What lies below a folder: signatures, lists of files and keys belong together by their place."""

    root: Path
    given: Keys
    listed: dict[Path, tuple[str, int, bool]] = field(default_factory=dict)
    """Path → SHA-256, size, and whether the list that says so was proved with a given key."""
    proved: dict[Path, Verdict] = field(default_factory=dict)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=_ANY, metavar="FILE…")
@click.option(
    "--key", "keys", multiple=True, type=_FILE,
    help="The issuer's public key or certificate (PEM), received another way. May be given several times.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--quiet", is_flag=True, help="Show only what is not as it was signed.")
def verify(paths: tuple[Path, ...], keys: tuple[Path, ...], as_json: bool, quiet: bool) -> None:
    """Check published alerts offline: files, or a folder with all that lies below it.

    A file is proved by its signature beside it (FILE.sig), by the list of files of its version, and a CAP message by
    the signature inside it as well. Keys are those given, else those in the folder “keys” of the site.

    The exit status is 0 when all is as it was signed, 1 when something is not, and 3 when something is not signed or no
    key is there to check it with.
    """
    given = Keys()
    for path in keys:
        found = keys_in(_read(path))
        if not found:
            raise click.BadParameter(f"{path} holds no Ed25519 public key and no certificate.", param_hint="--key")
        given += found
    verdicts = dict(_all(paths, given))
    if as_json:
        click.echo(json.dumps(_facts(verdicts), indent=2))
    else:
        _tell(verdicts, given, quiet=quiet)
    outcomes = [each.outcome for each in verdicts.values()]
    sys.exit(1 if any(not each.is_good and not each.is_open for each in outcomes) else 3 if not _good(outcomes) else 0)


def _good(outcomes: list[Outcome]) -> bool:
    return bool(outcomes) and all(each.is_good for each in outcomes)


def _all(paths: tuple[Path, ...], given: Keys) -> Iterator[tuple[str, Verdict]]:
    for path in paths:
        if path.is_dir():
            tree = _Tree(path, given)
            files = sorted(_files_below(path))
            yield from ((str(each), verdict) for each, verdict in _lists(tree, files))
            yield from ((str(each), Verdict(Outcome.MISSING)) for each in _gone(files))
            yield from ((str(each), _checked(each, tree)) for each in files if _is_checked(each, tree))
        elif path.name.endswith(SIGNATURE) and (signed := path.with_name(path.name.removesuffix(SIGNATURE))).is_file():
            yield str(signed), _checked(signed, _Tree(path.parent, given))
        else:
            tree = _Tree(path.parent, given)
            list(_lists(tree, [*sorted(path.parent.glob(f"*{MANIFEST_ENDING}")), *_site_list_above(path)]))
            yield str(path), _checked(path, tree)


def _site_list_above(path: Path) -> list[Path]:
    above = (folder / SITE_LIST for folder in list(path.absolute().parents)[:UP])
    return [each for each in above if each.is_file()][:1]


def _files_below(folder: Path) -> Iterator[Path]:
    """Files and links, none of which is followed out of the folder."""
    for base, _, names in os.walk(folder):
        yield from (Path(base) / name for name in names)


def _is_checked(path: Path, tree: _Tree) -> bool:
    """Signatures are read with what they sign; keys are what others are checked with, and checked where they are in the
    list of a site or signed themselves."""
    if path.name.endswith(SIGNATURE) or path.name.startswith("."):  # No web server hands out hidden ones.
        return False
    is_key = KEYS.rstrip("/") in path.relative_to(tree.root).parts[:-1]
    plain = path.with_name(path.name.removesuffix(PACKED))
    return not is_key or plain in tree.listed or plain.with_name(plain.name + SIGNATURE).is_file()


def _gone(files: list[Path]) -> Iterator[Path]:
    """What was signed, and is not there any more."""
    signed = (each.with_name(each.name.removesuffix(SIGNATURE)) for each in files if each.name.endswith(SIGNATURE))
    yield from (each for each in signed if not each.exists())


def _lists(tree: _Tree, files: list[Path]) -> Iterator[tuple[Path, Verdict]]:
    """Take up what signed lists say of each version; what they name and is not there, is missing.

    Files of older versions have made room for newer ones: only the newest list of an alert is held against them.
    """
    newest: dict[str, tuple[int, Path, dict[str, Any], bool]] = {}
    for path in files:
        if not path.name.endswith(MANIFEST_ENDING) or path.is_symlink():
            continue
        verdict = _detached(path, tree)
        said = _manifest(path) if verdict.outcome.is_good else None
        if said is None:
            continue
        if path.name == SITE_LIST:
            newest[str(path)] = (0, path.parent, said["files"], verdict.is_trusted)
        elif said["version"] > newest.get(said["number"], (0,))[0]:
            newest[said["number"]] = (said["version"], path.parent.parent, said["files"], verdict.is_trusted)
    for _, base, listed, is_trusted in newest.values():
        for name, facts in listed.items():
            target = _below(base, name)
            if target is None:
                continue
            tree.listed[target] = (str(facts.get("sha256")), int(facts.get("size_bytes", -1)), is_trusted)
            if not target.exists() and tree.root in target.parents:
                yield target, Verdict(Outcome.MISSING)


def _manifest(path: Path) -> dict[str, Any] | None:
    """The list of a version, or that of a site, which has neither number nor version."""
    try:
        said = orjson.loads(_read(path))
        files = {name: facts for name, facts in said["files"].items() if isinstance(facts, dict)}
        number, version = said.get("number", ""), said.get("version", 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    is_right = isinstance(number, str) and isinstance(version, int)
    return {"number": number, "version": version, "files": files} if is_right else None


def _below(root: Path, name: str) -> Path | None:
    """The path in the site, unless it leads outside."""
    parts = name.split("/")
    return None if any(part in {"", ".", ".."} or "\\" in part for part in parts) else root.joinpath(*parts)


def _checked(path: Path, tree: _Tree) -> Verdict:
    """A file by all that is said of it: each proof must hold."""
    if path.is_symlink() or not path.is_file():
        return Verdict(Outcome.UNREADABLE)
    plain = path.with_name(path.name.removesuffix(PACKED))
    if path.name.endswith(PACKED) and plain.is_file():
        return _checked(plain, tree) if _unpacked(path) == _read(plain) else Verdict(Outcome.ALTERED)
    found = []
    beside = _detached(path, tree)
    if beside.outcome is not Outcome.NOT_SIGNED:
        found.append(beside)
    if path.name.endswith(CAP_ENDING):
        inside = check_cap(_read(path), tree.given, _keys_for(path))
        if inside.outcome is not Outcome.NOT_SIGNED or not found:
            found.append(inside)
    if path in tree.listed:
        digest, size, is_trusted = tree.listed[path]
        is_same = path.stat().st_size == size and _digest(path) == digest
        found.append(Verdict(Outcome.VERIFIED if is_same else Outcome.ALTERED, is_trusted=is_trusted))
    return worst(found) if found else Verdict(Outcome.NOT_SIGNED)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpacked(path: Path) -> bytes | None:
    """What web servers hand out in place of the plain file beside it."""
    opener = zlib.decompressobj(wbits=31)
    try:
        found = opener.decompress(_read(path), LARGEST_BYTES + 1)
        return found if opener.eof and not opener.unused_data else None
    except zlib.error:
        return None


def _detached(path: Path, tree: _Tree) -> Verdict:
    if path in tree.proved:
        return tree.proved[path]
    beside = path.with_name(path.name + SIGNATURE)
    if not beside.is_file():
        verdict = Verdict(Outcome.NOT_SIGNED)
    else:
        verdict = check_detached(_read(path), _read(beside), tree.given, _keys_for(path))
    tree.proved[path] = verdict
    return verdict


def _keys_for(path: Path) -> Keys:
    """Those in the nearest folder `keys` above the file."""
    for folder in list(path.absolute().parents)[:UP]:
        if found := _keys_of(folder / KEYS.rstrip("/")):
            return found
    return Keys()


@cache
def _keys_of(folder: Path) -> Keys:
    found = Keys()
    if folder.is_dir():
        for path in sorted(folder.rglob("*.pem")):
            if path.is_file():
                found += keys_in(_read(path))
    return found


def _read(path: Path) -> bytes:
    """No more than a published file can have."""
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def _facts(verdicts: dict[str, Verdict]) -> dict[str, Any]:
    outcomes = [each.outcome for each in verdicts.values()]
    return {
        "valid": _good(outcomes),
        "trusted": bool(verdicts) and all(each.is_trusted for each in verdicts.values()),
        "counts": dict(sorted(Counter(each.value for each in outcomes).items())),
        "files": [
            {"path": path, "outcome": each.outcome.value, "trusted": each.is_trusted, "key": each.key}
            for path, each in verdicts.items()
        ],
    }


def _tell(verdicts: dict[str, Verdict], given: Keys, *, quiet: bool) -> None:
    for path, each in verdicts.items():
        if not quiet or not each.outcome.is_good:
            click.echo(f"{path}: {SENTENCES[each.outcome]}.")
    good = sum(each.outcome.is_good for each in verdicts.values())
    if not verdicts:
        click.echo("There is nothing to check in this folder.")
    elif len(verdicts) > 1:
        click.echo(f"{good} of {len(verdicts)} files are as they were signed.")
    if good and not given:
        click.echo("The keys came with the files. Compare them with those that you were given another way:")
        for key in sorted({each.key for each in verdicts.values() if each.key}):
            click.echo(f"  {key}")
