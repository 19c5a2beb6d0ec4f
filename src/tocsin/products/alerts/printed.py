"""All that is set and printed of an edition: documents, cards, and the campaign kit with its posters."""

from __future__ import annotations

from collections.abc import Iterator

from . import addresses
from .cards import cards_of
from .document import document_pdf
from .file import PDF, File
from .kit import kit_file
from .posters import PAPERS, poster_pdf
from .printable import can_be_printed
from .record import PublicEdition

PNG, SVG = "image/png", "image/svg+xml"


def files_of(edition: PublicEdition) -> Iterator[File]:
    """The files, unsigned. A language whose letters no font has goes without; what was cancelled has no kit.

    Raises ValueError for what is never public: an exercise (W31) and an alert about a person.
    """
    if edition.is_exercise or not edition.type.is_for_the_public:
        raise ValueError("there is no public output of this")
    number = edition.number
    printed: dict[str, dict[str, bytes]] = {}
    for language in languages_of(edition):
        document, cards = document_pdf(edition, language), cards_of(edition, language)
        yield File(addresses.document(number, language), PDF, document, language)
        yield File(addresses.card(number, language, "svg"), SVG, cards.wide_svg, language)
        yield File(addresses.card(number, language, "png"), PNG, cards.wide_png, language)
        printed[language] = {
            "alert.pdf": document,
            "card-wide.png": cards.wide_png,
            "card-wide.svg": cards.wide_svg,
            "card-square.png": cards.square_png,
            "card-square.svg": cards.square_svg,
        }
    for image in edition.images:
        yield File(addresses.image(number, image.name), image.media_type, image.body)
    for annex in edition.annexes:
        yield File(addresses.annex(number, annex.name), PDF, annex.body)
    if not edition.is_cancelled:
        for language, shown in printed.items():
            shown.update({f"poster-{paper}.pdf": poster_pdf(edition, language, paper) for paper in PAPERS})
        yield kit_file(edition, printed)


def languages_of(edition: PublicEdition) -> tuple[str, ...]:
    """Those whose letters the fonts of the product have."""
    return tuple(each.language for each in edition.texts if can_be_printed(each))
