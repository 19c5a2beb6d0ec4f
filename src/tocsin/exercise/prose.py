"""Reports for people: PDF, DOCX, HTML, Markdown, plain text in old encodings, and ransom notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from io import BytesIO

import docx
import typst

from .drafts import Draft
from .packing import zipped
from .plan import Expected
from .story import CINDER, HERON, REBRAND_DAY, SALT, TAKEDOWN_DAY, Story, active


def drafts(story: Story) -> Iterator[Draft]:
    yield _pdf(story, "clairval", "rapport-heron-cendre.pdf", 28, "fr", _french(story, 28))
    yield _pdf(story, "meridian", "grey-heron-takedown.pdf", TAKEDOWN_DAY + 3, "en", _takedown(story))
    yield _docx(story)
    yield _html(story)
    yield _markdown(story)
    yield from _notes(story)
    yield _arabic(story)


def _expected(values: int) -> Expected:
    return Expected(rows=0, proposals_at_least=values)


def defanged(value: str) -> str:
    return value.replace("https://", "hxxps://").replace(".", "[.]")


def _french(story: Story, day: int) -> list[tuple[str, list[str]]]:
    servers = active(story.c2_servers, day)
    sample = story.samples[12]
    return [
        (
            "Résumé",
            [
                f"EXERCICE / EXERCISE. Le cheval de Troie bancaire {HERON} s'étend vers l'Europe depuis le mois "
                "dernier. TLP:AMBER."
            ],
        ),
        (
            "Serveurs de commande",
            [
                f"{defanged(server.address)} ({server.domain.replace('.', '[.]')}), port {server.port}"
                for server in servers
            ],
        ),
        ("Échantillon", [f"SHA-256 : {sample.sha256}", f"MD5 : {sample.md5}"]),
        ("Paiement", [f"Le portefeuille {story.crew_wallets[0]} figure dans les notes de rançon."]),
    ]


def _takedown(story: Story) -> list[tuple[str, list[str]]]:
    servers = story.c2_servers[18:24]
    return [
        (
            "Summary",
            [
                f"EXERCISE. {HERON} was taken down on {story.at(TAKEDOWN_DAY):%d %B %Y}. All of its domains "
                "lead to a sinkhole now; infected machines still need cleaning. TLP:AMBER."
            ],
        ),
        ("Servers seized", [f"{defanged(server.address)} serving {defanged(server.domain)}" for server in servers]),
        ("Money", [f"Ransom payments and the rent of a phishing kit meet at {story.laundry_wallet}."]),
        ("What to do", ["Inform the owners of infected machines. Do not contact the hosting company first."]),
    ]


def _pdf(
    story: Story, organisation: str, name: str, day: int, language: str, parts: list[tuple[str, list[str]]]
) -> Draft:
    moment = story.at(day)
    date = f"datetime(year: {moment.year}, month: {moment.month}, day: {moment.day}, hour: 0, minute: 0, second: 0)"
    lines = [
        f'#set document(title: "EXERCISE {HERON}", author: "EXERCISE", date: {date})',
        f'#set text(lang: "{language}", size: 11pt)',
        "#set page(footer: align(center)[EXERCISE EXERCISE EXERCISE])",
        f"= EXERCISE {HERON}",
    ]
    for title, paragraphs in parts:
        lines.append(f"== {title}")
        # A string literal keeps every sign of an address as it is; markup would read some of them.
        lines += [f'#par("{paragraph}")' for paragraph in paragraphs]
        lines.append("#pagebreak(weak: true)")
    content = typst.compile("\n".join(lines).encode(), format="pdf", ignore_system_fonts=True, timestamp=0)
    count = sum(len(paragraphs) for _, paragraphs in parts[1:3])
    return Draft(
        organisation,
        name,
        "pdf",
        content,
        day,
        16,
        expected=_expected(count),
        story="A report to read; what it names is proposed to a reviewer.",
    )


def _docx(story: Story) -> Draft:
    """An Italian unit's report; a DOCX is a zip, so it is packed again without the clock in it."""
    day = REBRAND_DAY + 5
    document = docx.Document()
    document.core_properties.author = "EXERCISE"
    document.core_properties.title = f"EXERCISE {SALT}"
    for moment in ("created", "modified", "last_printed"):
        setattr(document.core_properties, moment, datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    document.add_heading(f"EXERCISE: {CINDER} / {SALT}", 1)
    document.add_paragraph(f"The crew that called itself {CINDER} signs as {SALT} since {story.at(REBRAND_DAY):%d %B}.")
    table = document.add_table(rows=1, cols=3)
    for cell, title in zip(table.rows[0].cells, ("Server", "Address", "Seen until"), strict=True):
        cell.text = title
    for server in story.crew_servers:
        cells = table.add_row().cells
        cells[0].text, cells[1].text = defanged(server.domain), defanged(server.address)
        cells[2].text = f"{story.at(min(server.to_day, day)):%Y-%m-%d}"
    document.add_paragraph(f"Both notes name the wallet {story.crew_wallets[0]}.")
    target = BytesIO()
    document.save(target)
    with zipfile.ZipFile(target) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    return Draft(
        "alba",
        "relazione-saltmarsh.docx",
        "docx",
        zipped(members),
        day,
        17,
        expected=_expected(len(story.crew_servers)),
        story="A police unit shows that the crew only changed its name.",
    )


def _html(story: Story) -> Draft:
    day = 72
    pages = [page for page in story.kit_pages if page.day < day][-12:]
    rows = "".join(f"<tr><td>{escape(defanged(page.url))}</td><td>{page.brand}</td></tr>" for page in pages)
    content = (
        '<!DOCTYPE html><html lang="es"><head><meta charset="utf-8"><title>EXERCISE PostBoxer</title>'
        "<script>document.title = 'EXERCISE'</script></head><body><h1>EXERCISE: páginas de PostBoxer</h1>"
        f"<p>Las páginas imitan marcas inventadas.</p><table>{rows}</table></body></html>"
    )
    return Draft(
        "almendra",
        "postboxer.html",
        "html",
        content.encode(),
        day,
        10,
        expected=_expected(len(pages)),
        story="A web page with the kit's addresses, in Spanish.",
    )


def _markdown(story: Story) -> Draft:
    day = 77
    samples = story.samples[40:46]
    lines = ["# EXERCISE Grey Heron: the stragglers", "", "TLP:GREEN", "", "| file | SHA-256 |", "|---|---|"]
    lines += [f"| `{sample.name}` | `{sample.sha256}` |" for sample in samples]
    lines += ["", f"Contact: lab@northfold.example. Server: `{defanged(story.c2_servers[-1].address)}`."]
    return Draft(
        "northfold",
        "stragglers.md",
        "markdown",
        ("\n".join(lines) + "\n").encode(),
        day,
        18,
        expected=_expected(len(samples)),
        story="Notes of a laboratory on what came back.",
    )


def _notes(story: Story) -> Iterator[Draft]:
    """The two ransom notes: nearly the same text, in two encodings."""
    yield Draft(
        "azure",
        "README_CINDER.txt",
        "text",
        story.ransom_note(CINDER).encode("utf-16"),
        23,
        4,
        expected=_expected(2),
        story="A note of Cinder Wharf, as found on a victim's machine (UTF-16).",
    )
    yield Draft(
        "azure",
        "README_SALTMARSH.txt",
        "text",
        story.ransom_note(SALT).encode("cp1252"),
        REBRAND_DAY + 2,
        4,
        expected=_expected(2),
        story="A note of Saltmarsh: nearly the same words, the same wallet.",
    )


def _arabic(story: Story) -> Draft:
    """A note in Arabic in the encoding of an old office program."""
    server = active(story.c2_servers, 40)[0]
    page = next(page for page in story.kit_pages if page.language == "ar" and page.day > 38)
    lines = (
        "تمرين EXERCISE تمرين",
        "مذكرة بشأن صفحات تصيد تنتحل اسم بريد نور",
        f"النطاق: {page.domain.replace('.', '[.]')}",
        f"خادم التحكم: {defanged(server.address)}",
        "يرجى إبلاغ المتضررين وعدم الاتصال بمزود الاستضافة مباشرة",
    )
    return Draft(
        "cedar",
        "مذكرة.txt",
        "text-windows-1256",
        ("\r\n".join(lines) + "\r\n").encode("cp1256"),
        41,
        11,
        profile="notes",
        expected=_expected(2),
        story="An Arabic note in Windows-1256.",
    )
