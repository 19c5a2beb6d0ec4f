"""Images and documents of an alert: taken in from a file, made anew from what they show, put beside words for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from tocsin.centre.intake import annexes
from tocsin.centre.intake.pictures import TakenIn, take_in
from tocsin.centre.members.models import Person
from tocsin.core.errors import InputError
from tocsin.handling.leaks import Place
from tocsin.products.alerts.draft import Picture, to_json

from . import files, services
from .models import Attached, Version
from .rules import Act
from .selectors import content_of

MOST_IMAGES = 6
MOST_ANNEXES = 5
PDF = "application/pdf"
LONGEST_TEXT = 500
MOST_BYTES = 20 << 20


def attach(
    version: Version, chunks: Iterable[bytes], name: str, *, text: str, base: int, by: Person, at: datetime
) -> Version:
    """Take in an image over revision `base`; `text` says what it shows, in the language of the draft.

    Raises InputError with the reason why it is none, Refused, and EditConflict where somebody else wrote since.
    """
    services.require(Act.WRITE, version, by)
    shown = " ".join(text.split())
    if not shown:
        raise InputError("image-without-text", field="image_text")
    if len(shown) > LONGEST_TEXT:
        raise InputError("alert-too-long", field="image_text", excerpt=f"{len(shown)} > {LONGEST_TEXT}")
    if len(content_of(version).images) >= MOST_IMAGES:
        raise InputError("too-many-images", field="image")
    taken = _taken(chunks, name)
    image = taken.image
    sha256 = files.keep(image.body)
    files.settle([sha256])
    with transaction.atomic():
        Attached.objects.update_or_create(
            alert=version.alert, name=image.name,
            defaults={"sha256": sha256, "media_type": image.media_type, "width": image.width, "height": image.height,
                      "said": _said(taken), "by": by, "at": at},
        )  # fmt: skip
        content = to_json(content_of(version))
        picture = to_json_picture(Picture(image.name, sha256, image.media_type, image.width, image.height))
        content["images"] = [*(each for each in content["images"] if each["name"] != image.name), picture]
        content["texts"]["image_texts"] = {**content["texts"]["image_texts"], image.name: shown}
        return services.write(version, content, base=base, by=by, at=at)


def attach_annex(
    version: Version, chunks: Iterable[bytes], name: str, *, title: str, is_public: bool, base: int, by: Person,
    at: datetime,
) -> Version:  # fmt: skip
    """Take in a PDF document over revision `base`; `title` says what it is, in the language of the draft.

    What everybody may read has to be looked through: a page without text is refused there. Raises InputError with the
    reason, Refused, and EditConflict where somebody else wrote since.
    """
    services.require(Act.WRITE, version, by)
    shown = " ".join(title.split())
    if not shown:
        raise InputError("annex-without-title", field="annex_title")
    if len(shown) > LONGEST_TEXT:
        raise InputError("alert-too-long", field="annex_title", excerpt=f"{len(shown)} > {LONGEST_TEXT}")
    if len(content_of(version).annexes) >= MOST_ANNEXES:
        raise InputError("too-many-annexes", field="annex")
    with tempfile.TemporaryDirectory(prefix="tocsin-annex-") as folder:
        taken = annexes.take_in(_kept(chunks, Path(folder) / "annex", "annex-too-large"), name)
    if is_public and any(each.unreadable for each in taken.texts):
        page = next(each.place.page for each in taken.texts if each.unreadable)
        raise InputError("annex-unreadable", field="annex", excerpt=str(page))
    sha256 = files.keep(taken.body)
    files.settle([sha256])
    said = [{"page": each.place.page, "text": each.text, "unreadable": each.unreadable} for each in taken.texts]
    with transaction.atomic():
        Attached.objects.update_or_create(
            alert=version.alert, name=taken.name,
            defaults={"sha256": sha256, "media_type": PDF, "width": 0, "height": 0, "by": by, "at": at,
                      "said": {"pages": said, "name": name}},
        )  # fmt: skip
        content = to_json(content_of(version))
        made = {"name": taken.name, "sha256": sha256, "pages": taken.pages, "is_public": is_public}
        content["annexes"] = [*(each for each in content["annexes"] if each["name"] != taken.name), made]
        content["texts"]["image_texts"] = {**content["texts"]["image_texts"], taken.name: shown}
        return services.write(version, content, base=base, by=by, at=at)


def detach(version: Version, name: str, *, base: int, by: Person, at: datetime) -> Version:
    """Take an image or an annex out of the draft. Versions that were published with it keep it."""
    content = to_json(content_of(version))
    content["images"] = [each for each in content["images"] if each["name"] != name]
    content["annexes"] = [each for each in content["annexes"] if each["name"] != name]
    content["texts"]["image_texts"].pop(name, None)
    return services.write(version, content, base=base, by=by, at=at)


def to_json_picture(picture: Picture) -> dict[str, Any]:
    return {"name": picture.name, "sha256": picture.sha256, "media_type": picture.media_type,
            "width": picture.width, "height": picture.height}  # fmt: skip


def _taken(chunks: Iterable[bytes], name: str) -> TakenIn:
    """What the sandbox made of it. The file itself is gone when this returns."""
    with tempfile.TemporaryDirectory(prefix="tocsin-image-") as folder:
        return take_in(_kept(chunks, Path(folder) / "image", "picture-too-large"), name, Place("image", ""))


def _kept(chunks: Iterable[bytes], path: Path, too_large: str) -> Path:
    """The file at this place. Raises InputError before it takes much room."""
    size = 0
    with path.open("xb") as target:
        for chunk in chunks:
            size += len(chunk)
            if size > MOST_BYTES:
                raise InputError(too_large)
            target.write(chunk)
    return path


def _said(taken: TakenIn) -> dict[str, Any]:
    """What its file carried, its name too: `guarding` looks there for what must not be read."""
    return {
        "texts": [each.text for each in taken.texts if each.text],
        "has_position": any(each.has_position for each in taken.texts),
        "unreadable": sorted({each.unreadable for each in taken.texts if each.unreadable}),
    }
