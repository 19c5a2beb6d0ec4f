"""An alert in four languages for the tests of what is printed of it: prose as officers write it, and no real value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.core.words import Kind, Offence
from tocsin.products.alerts.record import (
    AlertType,
    Certainty,
    Earlier,
    Issuer,
    Made,
    Message,
    PublicEdition,
    PublicSign,
    Severity,
    Text,
    Urgency,
)  # fmt: skip

ISSUED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ISSUER = Issuer(
    names={
        "en": "Fusion Centre",
        "fr": "Centre de fusion",
        "es": "Centro de Fusión",
        "ar": "المركز المتعدد الاختصاصات",
    },
    sender="alerts.example",
    origin="https://alerts.example/alerts",
    media_contact="press@alerts.example",
)
ENGLISH = Text(
    "en",
    "Fake parcel messages lead to pages that steal bank details",
    "Criminals send text messages that pretend to come from delivery companies.\n\nThe link opens a page that looks "
    "like that of the company.",
    "Anyone with a mobile phone.",
    ("The message comes from a number that you do not know.", "The address ends in .example."),
    ("Do not open the link.", "Look up your parcel yourself.", "Forward the message, then delete it."),
    "Call your bank at once and have the card blocked.",
)
FRENCH = Text(
    "fr",
    "De faux messages de livraison mènent à des pages qui volent les données bancaires",
    "Des malfaiteurs envoient des SMS qui semblent provenir d’entreprises de livraison.",
    "Toute personne ayant un téléphone portable.",
    ("Le message vient d’un numéro inconnu.",),
    ("N’ouvrez pas le lien.", "Suivez votre colis vous-même."),
    "Appelez immédiatement votre banque.",
    made=Made.CHECKED,
)
SPANISH = Text(
    "es",
    "Falsos mensajes de paquetería llevan a páginas que roban datos bancarios",
    "Delincuentes envían mensajes que parecen de empresas de paquetería.",
    "Cualquier persona con teléfono móvil.",
    ("El mensaje procede de un número desconocido.",),
    ("No abra el enlace.", "Consulte su paquete usted mismo."),
    "Llame de inmediato a su banco.",
    made=Made.MACHINE,
)
ARABIC = Text(
    "ar",
    "رسائل توصيل مزيفة تقود إلى صفحات تسرق البيانات المصرفية",
    "يرسل مجرمون رسائل نصية تدّعي أنها من شركات توصيل. يفتح الرابط https://track[.]example/pay صفحة مزيفة.",
    "كل من لديه هاتف محمول.",
    ("تأتي الرسالة من رقم لا تعرفه.",),
    ("لا تفتح الرابط.", "ابحث عن طردك بنفسك."),
    "اتصل بمصرفك فوراً.",
    made=Made.HUMAN,
)
SIGNS = (
    PublicSign("https://track-parcel.example/pay?id=1", Kind.URL),
    PublicSign("203.0.113.7", Kind.IPV4, "CinderCat"),
    PublicSign("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Kind.SHA256),
)


def edition(**changed: Any) -> PublicEdition:
    """The second version of the alert; `changed` says which of its fields are otherwise."""
    fields: dict[str, Any] = {
        "number": "METHOD-2026-0042", "version": 2, "message": Message.UPDATE, "type": AlertType.METHOD,
        "offence": Offence.FRAUD, "severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE,
        "certainty": Certainty.OBSERVED, "issued": ISSUED, "sent": ISSUED + timedelta(days=2),
        "expires": ISSUED + timedelta(days=60), "texts": (ENGLISH, FRENCH, SPANISH, ARABIC), "issuer": ISSUER,
        "countries": ("BE", "FR", "MA"), "signs": SIGNS, "earlier": (Earlier(1, Message.ALERT, ISSUED),),
        "reasons": {"en": "Two signs were added.", "ar": "أُضيف مؤشران."},
    }  # fmt: skip
    return PublicEdition(**{**fields, **changed})
