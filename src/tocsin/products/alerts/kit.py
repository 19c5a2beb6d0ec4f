"""The campaign kit: everything that ministries and media need to pass an alert on, in one archive.

Its files, their order and times follow from the edition alone: composed twice, it is the same to the byte.
"""

from __future__ import annotations

import hashlib
import io
import mimetypes
import zipfile
from collections.abc import Iterator, Mapping

import orjson

from . import addresses
from .campaign_texts import LENGTHS, mail, post
from .cards import SQUARE, WIDE
from .file import File
from .posters import PAPERS
from .printable import readable
from .record import PublicEdition
from .words import words

FORMAT = "tocsin-campaign-kit/1"
MEDIA_TYPE = "application/zip"
STORED = (".png", ".pdf", ".jpg", ".jpeg", ".webp")
"""What is compressed already."""
FIRST_YEAR = 1980
"""Of times in an archive (APPNOTE 4.4.6)."""


def kit_file(edition: PublicEdition, printed: Mapping[str, Mapping[str, bytes]]) -> File:
    """The archive. `printed` holds the names and bytes of what was set, for each language that can be printed."""
    folder = edition.number
    content = dict(_contents(edition, printed))
    content["manifest.json"] = _manifest(edition, content)
    year, *rest = edition.sent.timetuple()[:6]
    when = (max(FIRST_YEAR, year), *rest)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in sorted(content, key=lambda each: (each != "README.txt", "/" in each, each)):
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=when)  # type: ignore[arg-type]
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content[name])
    return File(addresses.kit(edition.number), MEDIA_TYPE, made.getvalue())


def opened(file: File) -> Iterator[File]:
    """The files in an archive that was made here, for whoever looks through them; any other file as it is."""
    if file.media_type != MEDIA_TYPE:
        yield file
        return
    with zipfile.ZipFile(io.BytesIO(file.body)) as archive:
        for name in archive.namelist():
            kind = mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"
            yield File(f"{file.path}/{name}", kind, archive.read(name))


def _contents(edition: PublicEdition, printed: Mapping[str, Mapping[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", _first_page(edition).encode()
    for image in edition.images:
        yield f"images/{image.name}", image.body
    for annex in edition.annexes:
        yield f"annexes/{annex.name}", annex.body
    for language in edition.languages:
        texts = {f"post-{most}.txt": post(edition, language, most) for most in LENGTHS}
        for name, said in texts.items():
            yield f"{language}/{name}", said.encode()
        yield f"{language}/e-mail.txt", mail(edition, language).encode()
        for name, body in printed.get(language, {}).items():
            yield f"{language}/{name}", body
        yield f"{language}/README.txt", _readme(edition, language, texts, printed.get(language, {})).encode()


def _first_page(edition: PublicEdition) -> str:
    parts = []
    for language in edition.languages:
        say = words(language)
        parts.append(f"{language}/\n{say('kit.title', number=edition.number)}\n{say('kit.languages')}")
    return "\n\n".join([*parts, f"{edition.issuer.origin}/{addresses.permanent(edition.number)}"]) + "\n"


def _readme(edition: PublicEdition, language: str, texts: Mapping[str, str], printed: Mapping[str, bytes]) -> str:
    say = words(language)
    origin = edition.issuer.origin
    told = {
        "alert.pdf": say("kit.alert"),
        **{f"poster-{paper}.pdf": say("kit.poster", paper=paper.upper()) for paper in PAPERS},
        "card-wide.png": say("kit.card", width=WIDE[0], height=WIDE[1]),
        "card-wide.svg": say("kit.drawing"),
        "card-square.png": say("kit.card", width=SQUARE[0], height=SQUARE[1]),
        "card-square.svg": say("kit.drawing"),
    }
    files = [f"{name}\n    {said}" for name, said in told.items() if name in printed]
    files += [f"post-{most}.txt\n    {say('kit.post', count=len(texts[f'post-{most}.txt']), most=most)}"
              for most in LENGTHS]  # fmt: skip
    files.append(f"e-mail.txt\n    {say('kit.email')}")
    parts = [
        f"{say('kit.title', number=edition.number)}\n{_line(edition.text(language).title)}",
        f"{say('version', number=edition.version)}, {say.moment(edition.sent)}\n"
        f"{say('expires')}: {say.moment(edition.expires)}",
        f"{say('kit.before')}\n{origin}/{addresses.permanent(edition.number)}",
        f"{say('kit.files')}\n\n" + "\n".join(files),
    ]
    if edition.images:
        shown = edition.text(language).image_texts
        names = (f"../images/{each.name}\n    {_line(shown.get(each.name, ''))}".rstrip() for each in edition.images)
        parts.append(say("kit.images") + "\n\n" + "\n".join(names))
    if edition.annexes:
        shown = edition.text(language).image_texts
        names = (f"../annexes/{each.name}\n    {_line(shown.get(each.name, ''))}".rstrip() for each in edition.annexes)
        parts.append(say("police.annexes") + "\n\n" + "\n".join(names))
    terms = ("free", "name", "unchanged", "never", "end")
    said = (say(f"kit.terms_{name}", issuer=edition.issuer.name(language)) for name in terms)
    parts.append(f"{say('kit.terms')}\n\n" + "\n".join(f"- {each}" for each in said))
    parts.append(
        f"{say('kit.check')}\n\n{say('kit.check_text', keys=f'{origin}/{addresses.KEYS}')}\n\n"
        f"    tocsin alert verify kit.zip\n\n{say('kit.check_files')}"
    )
    return "\n\n".join(parts) + "\n"


def _line(text: str) -> str:
    return " ".join(readable(text).split())


def _manifest(edition: PublicEdition, content: Mapping[str, bytes]) -> bytes:
    body = {
        "format": FORMAT,
        "number": edition.number,
        "version": edition.version,
        "sent": edition.sent.isoformat(),
        "expires": edition.expires.isoformat(),
        "languages": list(edition.languages),
        "address": f"{edition.issuer.origin}/{addresses.permanent(edition.number)}",
        "files": {
            name: {"sha256": hashlib.sha256(body).hexdigest(), "size_bytes": len(body)}
            for name, body in sorted(content.items())
        },
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n"
