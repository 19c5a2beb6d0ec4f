"""What comes by letter box: e-mails with attachments, OpenIOC trees, an archive of several files."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from xml.sax.saxutils import escape

from .drafts import Draft
from .packing import zipped
from .plan import Expected
from .story import KIT, SALT, Story, active


def drafts(story: Story) -> Iterator[Draft]:
    yield _referral(story)
    yield _spam_report(story)
    yield _ioc(story, "alba", 43, "OR")
    yield _ioc(story, "azure", 75, "AND")
    yield _folder(story)


def _letter(story: Story, day: int, sender: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = sender, "intake@centre.example"
    message["Subject"] = f"[EXERCISE] {subject}"
    message["Date"] = format_datetime(story.at(day, 8))
    message["Message-ID"] = f"<{story.uuid(subject)}@mail.example>"
    message.set_content(text)
    return message


def _finished(message: EmailMessage, story: Story) -> bytes:
    if message.is_multipart():
        message.set_boundary("exercise-" + story.uuid(str(message["Subject"])))
    return message.as_bytes()


def _referral(story: Story) -> Draft:
    """A police unit's letter with a table attached whose name holds characters that turn the direction."""
    day = 59
    message = _letter(
        story,
        day,
        "intel@policia-digital.example",
        f"Páginas de {KIT}",
        "Em anexo a lista de páginas. TLP:AMBER. EXERCISE.\n",
    )
    pages = [page for page in story.kit_pages if page.day in range(50, 59)][:30]
    lines = ["url,first_seen,tags", *(f"{page.url},{story.text_at(page.day)},EXERCISE" for page in pages)]
    message.add_attachment(("\n".join(lines) + "\n").encode(), maintype="text", subtype="csv", filename="paginas.csv")
    message.add_attachment(
        f"EXERCISE {story.laundry_wallet}\n".encode(), maintype="text", subtype="plain", filename="nota_\u202etxt.exe"
    )
    return Draft(
        "porto",
        "referral.eml",
        "e-mail",
        _finished(message, story),
        day,
        8,
        30,
        expected=Expected(),
        story="A letter with a table of pages, and an attachment with a false ending.",
    )


def _spam_report(story: Story) -> Draft:
    """A phishing mail forwarded as it came: the mail inside is the evidence."""
    day = 45
    page = next(page for page in story.kit_pages if page.language == "fr" and page.day > 40)
    bait = _letter(
        story,
        day,
        f"service@{page.domain}",
        "Votre colis est retenu",
        f"EXERCISE. Réglez les frais de 1,99 euro : {page.url}\nQuestions : +33 1 99 00 12 34\n",
    )
    bait.add_alternative(f'<p>EXERCISE. <a href="{page.url}">Régler les frais</a></p>', subtype="html")
    bait.set_boundary("bait-" + story.uuid("bait"))
    message = _letter(story, day, "reports@tallis-mail.example", "Forwarded phishing mail", "See attached. EXERCISE\n")
    message.add_attachment(bait)
    return Draft(
        "tallis",
        "forwarded.eml",
        "e-mail",
        _finished(message, story),
        day,
        9,
        expected=Expected(),
        story="A bait of the kit in French, forwarded as an attachment.",
    )


def _ioc(story: Story, organisation: str, day: int, operator: str) -> Draft:
    """OpenIOC: alternatives, each of which stands alone, or conditions that must hold together."""
    server = active(story.crew_servers, day)[0]
    sample = story.samples[30]
    terms = (
        ("PortItem", "PortItem/remoteIP", "IP", server.address),
        ("DnsEntryItem", "DnsEntryItem/Host", "string", server.domain),
        ("FileItem", "FileItem/Md5sum", "md5", sample.md5),
        ("FileItem", "FileItem/FileName", "string", sample.name),
    )
    items = "\n".join(
        f'      <IndicatorItem id="{story.uuid(f"term {day} {place}")}" condition="is">\n'
        f'        <Context document="{document}" search="{search}" type="mir"/>\n'
        f'        <Content type="{kind}">{escape(value)}</Content>\n      </IndicatorItem>'
        for place, (document, search, kind, value) in enumerate(terms)
    )
    identifier = story.uuid(f"ioc {day}")
    text = f"""<?xml version="1.0" encoding="utf-8"?>
<ioc xmlns="http://schemas.mandiant.com/2010/ioc" id="{identifier}" last-modified="{story.text_at(day)[:-1]}">
  <short_description>EXERCISE {SALT}</short_description>
  <description>EXERCISE: traces of the crew on a victim's server</description>
  <authored_by>EXERCISE</authored_by>
  <authored_date>{story.text_at(day)[:-1]}</authored_date>
  <definition>
    <Indicator operator="{operator}" id="{story.uuid(f"tree {day}")}">
{items}
    </Indicator>
  </definition>
</ioc>
"""
    rows = len(terms) if operator == "OR" else 0
    told = "each stands alone" if operator == "OR" else "they mean something only together"
    return Draft(
        organisation,
        f"{identifier}.ioc",
        "openioc-1.0",
        text.encode(),
        day,
        15,
        expected=Expected(rows=rows, things=1),
        story=f"Traces of the crew: {told}.",
    )


def _folder(story: Story) -> Draft:
    """Several files of several formats in one archive, one of them with a name that turns the direction."""
    day = 69
    servers = active(story.crew_servers, day)
    rows = ["indicator,type,first_seen,tags"]
    rows += [f"{server.address},ip,{story.text_at(server.from_day)},EXERCISE" for server in servers]
    members = [
        ("EXERCISE/README.md", f"# EXERCISE\n\n{SALT} after the take-down.\n".encode()),
        ("EXERCISE/servers.csv", ("\n".join(rows) + "\n").encode()),
        ("EXERCISE/domains.txt", ("# EXERCISE\n" + "\n".join(s.domain for s in servers) + "\n").encode()),
        ("EXERCISE/note_\u202etxt.md", story.ransom_note(SALT).encode()),
    ]
    return Draft(
        "azure",
        "case-folder.zip",
        "zip-of-files",
        zipped(members),
        day,
        7,
        expected=Expected(),
        story="A case folder with a table, a list, a note and a false ending.",
    )
