"""From received bytes on disk to files ready to read: unpacked, in UTF-8, then read by their format.

Everything streams. What is wrong with one member of an archive is a Rejection beside the others; what is
wrong with the delivery as a whole raises InputError.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tocsin.core.errors import InputError, is_fault_of_the_machine
from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Tlp, Unit

from .archives import Budget, Limits, Member, container_of
from .encodings import HEAD_BYTES, recode, text_encoding

BLANKS = b" \t\r\n\x00\xef\xbb\xbf"
"""A file of nothing else is as good as empty, unless a feed's profile says what it is: then it is a list of none."""

__all__ = ["Formats", "Limits", "Opened", "open_delivery", "read_source", "text_encoding"]

log = logging.getLogger(__name__)
HEADING_TEXT_CHARACTERS = 1 << 20
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Opened:
    """One file ready to read. `inner_name` is its path inside the delivery, parts joined by "!"."""

    source: Source
    inner_name: str
    depth: int


class Formats(Protocol):
    """What is asked of `tocsin.formats`."""

    def recognise(self, sample: Sample) -> Format | None: ...

    def by_name(self, name: str) -> Format: ...


def open_delivery(path: Path, name: str, work: Path, limits: Limits = LIMITS) -> Iterator[Opened | Rejection]:
    """Unpack and re-code what was received; files appear under `work`, which the caller removes afterwards.

    A file that is plain UTF-8 or binary is handed on where it lies, without a copy. Raises InputError when
    the delivery itself is empty, damaged, encrypted as a whole, of an unknown packing or a bomb.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise InputError("empty-file")
    work.mkdir(parents=True, exist_ok=True)
    budget = Budget(limits, size_bytes, work)
    yield from _opened(path, name, name, 0, budget)


def _opened(path: Path, name: str, inner_name: str, depth: int, budget: Budget) -> Iterator[Opened | Rejection]:
    container = container_of(path)
    if container is None:
        yield Opened(Source(name, recode(path, budget.work)), inner_name, depth)
        return
    if depth >= budget.limits.depth:
        raise InputError("archive-nested", excerpt=inner_name[:160])
    members = container.unpack(path, name, budget)
    if not container.single:
        yield from _members(members, inner_name, depth, budget)
        return
    for member in members:
        if isinstance(member, Rejection):
            yield member
            continue
        if member.path.stat().st_size == 0:
            raise InputError("empty-file")
        # A tar is compressed as a matter of course: the two together count as one archive.
        inner = container_of(member.path)
        inner_depth = depth if inner is not None and inner.name == "tar" else depth + 1
        yield from _opened(member.path, member.name, inner_name, inner_depth, budget)
        if inner is not None:
            member.path.unlink(missing_ok=True)


def _members(
    members: Iterator[Member | Rejection], inner_name: str, depth: int, budget: Budget
) -> Iterator[Opened | Rejection]:
    found = False
    for member in members:
        found = True
        if isinstance(member, Rejection):
            yield member
            continue
        shown = f"{inner_name}!{member.name}"
        try:
            if member.path.stat().st_size == 0:
                raise InputError("empty-file")
            yield from _opened(member.path, member.name, shown, depth + 1, budget)
            if container_of(member.path) is not None:
                member.path.unlink(missing_ok=True)
        except InputError as error:
            if error.reason == "archive-bomb":
                raise
            member.path.unlink(missing_ok=True)
            yield Rejection(member.position, Unit.FILE, error.reason, excerpt=shown[:160])
    if not found:
        raise InputError("empty-file", excerpt=inner_name[:160])


def sample_of(source: Source) -> Sample:
    """What a format is recognised by."""
    with source.open() as stream:
        return Sample(stream.read(HEAD_BYTES), source.name, source.size_bytes)


def read_source(
    source: Source,
    profile: Profile,
    formats: Formats,
    limits: Limits = LIMITS,
    found: Format | None = None,
) -> Iterator[Item]:
    """All that one opened file holds; files enclosed in it are opened and read by the same path. `found` is its format,
    where somebody has looked already.

    Raises InputError: "unknown-format", "reader-failed" for an error that no reader foresaw (the log has
    it), or what the reader itself raises. The same inside an enclosed file is a Rejection of that part.
    """
    yield from _read(source, profile, formats, limits, 0, found)


def format_of(source: Source, profile: Profile, formats: Formats) -> Format:
    """The format that the profile names or the content shows; raises InputError("unknown-format")."""
    if profile.format:
        try:
            return formats.by_name(profile.format)
        except KeyError as error:
            raise InputError("unknown-format", excerpt=profile.format) from error
    sample = sample_of(source)
    if not sample.head.strip(BLANKS) and source.size_bytes <= len(sample.head):
        raise InputError("empty-file")
    found = formats.recognise(sample)
    if found is None:
        raise InputError("unknown-format", excerpt=source.name[:160])
    return found


def _read(
    source: Source, profile: Profile, formats: Formats, limits: Limits, depth: int, found: Format | None = None
) -> Iterator[Item]:
    heading = Heading()
    items = _items(source, profile, formats, found)
    for item in items:
        if isinstance(item, Heading):
            heading = _merged(heading, item)
            yield item
        elif isinstance(item, Enclosed):
            for inner in _read_enclosed(item, profile, formats, limits, depth):
                if isinstance(inner, Heading):
                    heading = _with_enclosed(heading, inner)
                    yield heading
                else:
                    yield inner
        else:
            yield item


def _items(source: Source, profile: Profile, formats: Formats, found: Format | None) -> Iterator[Item]:
    """What the reader yields, its unforeseen errors turned into a reason."""
    try:
        found = found or format_of(source, profile, formats)
        yield from found.read(source, profile)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError("reader-killed", excerpt=source.name[:160]) from error
    except RecursionError as error:
        raise InputError("too-deep", excerpt=source.name[:160]) from error
    except Exception as error:
        if is_fault_of_the_machine(error):
            raise
        log.exception("A reader failed.")  # Neither name nor content: the log of processes holds none.
        raise InputError("reader-failed", excerpt=f"{type(error).__name__}: {error}"[:160]) from error


def _read_enclosed(item: Enclosed, profile: Profile, formats: Formats, limits: Limits, depth: int) -> Iterator[Item]:
    if depth >= limits.depth:
        yield _refused(item, "archive-nested")
        return
    inner_profile = replace(profile, format="")
    with tempfile.TemporaryDirectory(prefix="tocsin-enclosed-") as folder:
        work = Path(folder)
        path = item.source.path
        if path is None:
            path = work / "enclosed"
            path.write_bytes(item.source.content or b"")
        try:
            for opened in open_delivery(path, item.source.name, work, limits):
                if isinstance(opened, Rejection):
                    yield _refused(item, opened.reason, opened.excerpt)
                    continue
                yield from _read_part(item, opened, inner_profile, formats, limits, depth)
        except InputError as error:
            yield _refused(item, error.reason)


def _read_part(
    item: Enclosed, opened: Opened, profile: Profile, formats: Formats, limits: Limits, depth: int
) -> Iterator[Item]:
    try:
        yield from _read(opened.source, profile, formats, limits, depth + 1)
    except InputError as error:
        # A picture or a program beside the text is no fault of the sender's.
        reason = "attachment-kept" if error.reason == "unknown-format" else error.reason
        yield _refused(item, reason, opened.inner_name)


def _refused(item: Enclosed, reason: str, excerpt: str = "") -> Rejection:
    return Rejection(item.position, Unit.PART, reason, excerpt=(excerpt or item.source.name)[:160])


def _merged(heading: Heading, newer: Heading) -> Heading:
    set_fields = {name: value for name in Heading.__slots__ if (value := getattr(newer, name)) not in ("", None)}
    return replace(heading, **set_fields)


def _with_enclosed(heading: Heading, inner: Heading) -> Heading:
    """What an enclosed file says of itself holds for it alone, but for its text and a narrower label."""
    text = "\n".join(part for part in (heading.text, inner.text) if part)
    return replace(
        heading,
        text=text[:HEADING_TEXT_CHARACTERS],
        marking=max(filter(None, (heading.marking, inner.marking)), key=_rank, default=None),
    )


def _rank(marking: str) -> int:
    return Tlp(marking).rank if marking in set(Tlp) else Tlp.RED.rank
