# ruff: noqa: E501 - sentences stand on one line.
"""Generated public editions: seeded, in four languages, of documentation ranges alone.

`editions(count)` gives so many alerts in their newest version, `chain(number)` one with its history. The texts are
sentences that somebody might read; nothing in them is of a real case.
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.core.words import Kind, Offence
from tocsin.products.alerts.record import (
    LANGUAGES,
    AlertType,
    Certainty,
    Earlier,
    Image,
    Issuer,
    Made,
    Message,
    PublicEdition,
    PublicSign,
    Severity,
    Text,
    Urgency,
)  # fmt: skip
from tocsin.reference.countries import all_countries

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ISSUER = Issuer(
    names={
        "en": "Fusion Centre", "fr": "Centre de fusion", "es": "Centro de fusión", "ar": "مركز الدمج المعلوماتي",
    },
    sender="fusion.example", origin="https://alerts.example/alerts", media_contact="press@fusion.example",
)  # fmt: skip
_BAITS = (
    ("parcels", "colis", "paquetes", "الطرود"),
    ("unpaid tolls", "péages impayés", "peajes impagados", "رسوم الطرق غير المدفوعة"),
    ("bank accounts", "comptes bancaires", "cuentas bancarias", "الحسابات المصرفية"),
    ("job offers", "offres d’emploi", "ofertas de empleo", "عروض العمل"),
    ("tax refunds", "remboursements d’impôt", "devoluciones de impuestos", "استرداد الضرائب"),
    ("concert tickets", "billets de concert", "entradas de conciertos", "تذاكر الحفلات"),
    ("hospital appointments", "rendez-vous médicaux", "citas médicas", "المواعيد الطبية"),
)
_TITLES = {
    "en": "False messages about {0} ask you to confirm your details",
    "fr": "De faux messages sur les {0} vous demandent de confirmer vos données",
    "es": "Mensajes falsos sobre {0} le piden que confirme sus datos",
    "ar": "رسائل زائفة بشأن {0} تطلب منك تأكيد بياناتك",
}
_HAPPENING = {
    "en": "Many people have received a short message about {0}. It says that something is wrong and that there is little "
          "time. The link leads to a page that looks genuine and asks for the number of a card.\n\n"
          "Whoever enters it loses money within minutes. The senders change their number every day.",
    "fr": "Beaucoup de personnes ont reçu un court message sur les {0}. Il dit que quelque chose ne va pas et que le temps "
          "presse. Le lien mène à une page qui semble authentique et demande un numéro de carte.\n\n"
          "Qui le saisit perd de l’argent en quelques minutes. Les expéditeurs changent de numéro chaque jour.",
    "es": "Muchas personas han recibido un mensaje corto sobre {0}. Dice que algo va mal y que queda poco tiempo. El enlace "
          "lleva a una página que parece auténtica y pide el número de una tarjeta.\n\n"
          "Quien lo escribe pierde dinero en minutos. Los remitentes cambian de número cada día.",
    "ar": "تلقى كثير من الناس رسالة قصيرة بشأن {0}. تقول الرسالة إن هناك مشكلة وإن الوقت ضيق. يؤدي الرابط إلى صفحة تبدو "
          "حقيقية وتطلب رقم البطاقة.\n\nمن يُدخل الرقم يخسر ماله خلال دقائق. ويغيّر المرسلون أرقامهم كل يوم.",
}  # fmt: skip
_AT_RISK = {
    "en": "Everybody with a mobile phone, above all those who wait for something.",
    "fr": "Toute personne qui a un téléphone portable, surtout si elle attend quelque chose.",
    "es": "Toda persona con teléfono móvil, sobre todo quien espera algo.",
    "ar": "كل من يملك هاتفًا محمولًا، ولا سيما من ينتظر شيئًا.",
}
_RECOGNISE = {
    "en": ("The message presses you: today, within the hour, last chance.",
           "The address of the link ends in .example, not in the name of the company.",
           "It asks for a code that your bank sent you."),
    "fr": ("Le message vous presse : aujourd’hui, dans l’heure, dernière chance.",
           "L’adresse du lien se termine par .example, et non par le nom de l’entreprise.",
           "Il demande un code que votre banque vous a envoyé."),
    "es": ("El mensaje le mete prisa: hoy, en una hora, última oportunidad.",
           "La dirección del enlace termina en .example y no en el nombre de la empresa.",
           "Pide un código que le envió su banco."),
    "ar": ("تستعجلك الرسالة: اليوم، خلال ساعة، الفرصة الأخيرة.",
           "ينتهي عنوان الرابط بـ ‎.example وليس باسم الشركة.",
           "تطلب رمزًا أرسله إليك مصرفك."),
}  # fmt: skip
_DO_NOW = {
    "en": ("Do not open the link.", "Delete nothing: take a picture of the screen.",
           "If you entered the number of your card, call your bank now."),
    "fr": ("N’ouvrez pas le lien.", "N’effacez rien : faites une capture d’écran.",
           "Si vous avez saisi votre numéro de carte, appelez votre banque maintenant."),
    "es": ("No abra el enlace.", "No borre nada: haga una captura de pantalla.",
           "Si escribió el número de su tarjeta, llame ahora a su banco."),
    "ar": ("لا تفتح الرابط.", "لا تحذف شيئًا: التقط صورة للشاشة.", "إذا أدخلت رقم بطاقتك فاتصل بمصرفك الآن."),
}  # fmt: skip
_IF_VICTIM = {
    "en": "It is not your fault. Keep the messages and report them to your police.",
    "fr": "Ce n’est pas votre faute. Gardez les messages et signalez-les à votre police.",
    "es": "No es culpa suya. Guarde los mensajes y denúncielos a su policía.",
    "ar": "هذا ليس ذنبك. احتفظ بالرسائل وأبلغ شرطتك.",
}
_REASONS = {
    "en": "A further way of writing to victims was seen.", "fr": "Une nouvelle façon d’écrire aux victimes a été observée.",
    "es": "Se ha observado otra forma de escribir a las víctimas.", "ar": "رُصدت طريقة أخرى لمراسلة الضحايا.",
}  # fmt: skip
CANCELLED = {
    "en": "The pages were taken down and the senders were found.", "fr": "Les pages ont été fermées et les auteurs trouvés.",
    "es": "Las páginas se han cerrado y se ha encontrado a los autores.",
    "ar": "أُغلقت الصفحات وعُثر على المرسلين.",
}  # fmt: skip
_TYPES = (AlertType.METHOD, AlertType.METHOD, AlertType.METHOD, AlertType.IMMINENT, AlertType.PREVENTION)
_CRIMES = tuple(each for each in Offence if each is not Offence.NONE)


def text_in(language: str, bait: tuple[str, ...], made: Made = Made.CHECKED) -> Text:
    word = bait[LANGUAGES.index(language)]
    return Text(
        language=language, title=_TITLES[language].format(word), happening=_HAPPENING[language].format(word),
        at_risk=_AT_RISK[language], recognise=_RECOGNISE[language], do_now=_DO_NOW[language],
        if_victim=_IF_VICTIM[language], made=Made.ORIGINAL if language == "en" else made,
    )  # fmt: skip


def signs(chance: random.Random) -> tuple[PublicSign, ...]:
    last = chance.randrange(1, 250)
    return (
        PublicSign(f"198.51.100.{last}", Kind.IPV4, "PostBoxer"),
        PublicSign(f"pay-{last}.example", Kind.DOMAIN),
        PublicSign(f"https://pay-{last}.example/confirm?id={last}", Kind.URL),
        PublicSign(f"{chance.getrandbits(256):064x}", Kind.SHA256),
    )


def edition(place: int, *, seed: int = 7, span_days: int = 1_500, now: datetime = NOW) -> PublicEdition:
    """The alert at this place, 0 the newest; the same for the same numbers."""
    chance = random.Random(f"{seed}-{place}")
    kind = chance.choice(_TYPES)
    back = timedelta(days=place * span_days / 5_000, minutes=chance.randrange(600))
    issued = (now - back).replace(second=0, microsecond=0)
    version = chance.choice((1, 1, 1, 2, 3))
    codes = [each.code for each in all_countries()]
    few = chance.random()
    countries = () if few < 0.2 else tuple(sorted(chance.sample(codes, chance.choice((1, 1, 2, 3, 5, 14)))))
    earlier = tuple(
        Earlier(each, Message.ALERT if each == 1 else Message.UPDATE, issued + timedelta(hours=6 * (each - 1)))
        for each in range(1, version)
    )
    bait = chance.choice(_BAITS)
    return PublicEdition(
        number=f"{kind.value}-{issued:%Y}-{5_000 - place:04d}", version=version,
        message=Message.ALERT if version == 1 else Message.UPDATE, type=kind, offence=chance.choice(_CRIMES),
        severity=chance.choice((Severity.EXTREME, Severity.SEVERE, Severity.MODERATE, Severity.MINOR)),
        urgency=Urgency.IMMEDIATE, certainty=Certainty.OBSERVED, issued=issued,
        sent=issued + timedelta(hours=6 * (version - 1)), expires=issued + timedelta(days=chance.choice((10, 30, 90))),
        texts=tuple(text_in(each, bait, Made.MACHINE if place % 11 == 3 else Made.CHECKED) for each in LANGUAGES),
        issuer=ISSUER, countries=countries, signs=signs(chance) if kind is not AlertType.PREVENTION else (),
        earlier=earlier, reasons=_REASONS if version > 1 else {},
    )  # fmt: skip


def editions(count: int, **options: object) -> Iterator[PublicEdition]:
    """Newest first."""
    return (edition(place, **options) for place in range(count))  # type: ignore[arg-type]


def chain(place: int = 0, versions: int = 3) -> list[PublicEdition]:
    """One alert in all its versions, oldest first."""
    newest = edition(place)
    sent = [newest.issued + timedelta(hours=6 * each) for each in range(versions)]
    kinds = [Message.ALERT, *[Message.UPDATE] * (versions - 1)]
    past = [Earlier(each + 1, kinds[each], sent[each]) for each in range(versions)]
    return [
        replace(newest, version=each + 1, message=kinds[each], sent=sent[each], earlier=tuple(past[:each]),
                reasons=_REASONS if each else {})
        for each in range(versions)
    ]  # fmt: skip


def history(edition: PublicEdition) -> list[PublicEdition]:
    """The versions before it, as they might have been."""
    return [
        replace(edition, version=each.version, message=each.message, sent=each.sent, earlier=edition.earlier[:place],
                reasons=_REASONS if place else {})
        for place, each in enumerate(edition.earlier)
    ]  # fmt: skip


def cancelled(editions_so_far: list[PublicEdition]) -> PublicEdition:
    """The version that ends it."""
    last = editions_so_far[-1]
    return replace(
        last, version=last.version + 1, message=Message.CANCEL, sent=last.sent + timedelta(days=1), reasons=CANCELLED,
        earlier=(*last.earlier, Earlier(last.version, last.message, last.sent)), signs=(),
    )  # fmt: skip


def picture(name: str = "message.png") -> Image:
    """A small drawing of a telephone with a message on it."""
    width, height = 320, 180
    rows = b"".join(
        b"\x00"
        + b"".join(
            b"\x14\x32\x4a" if 60 < x < 260 and 30 < y < 150 and (y - 30) % 30 > 16 else b"\xe9\xf3\xf1"
            for x in range(width)
        )
        for y in range(height)
    )
    body = io.BytesIO()
    body.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""),
    ):  # fmt: skip
        body.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return Image(name, "image/png", body.getvalue(), width, height)
