"""Public editions for tests: a few that stand for all, in four languages, and a strategy that makes any."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tocsin.core.words import Kind, Offence
from tocsin.products.alerts.record import (
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
)

ISSUER = Issuer(
    names={"en": "Fusion Centre", "fr": "Centre de fusion", "es": "Centro de fusión", "ar": "مركز الدمج"},
    sender="alerts.fusion.example",
    origin="https://alerts.fusion.example/alerts",
    media_contact="press@fusion.example",
)
SENT = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
PARCELS = (
    Text(
        "en", "False parcel messages empty bank accounts",
        "Criminals send messages in the name of postal services. The link leads to a page that asks for a fee.\n\n"
        "Whoever enters a card there loses what is on it: payments begin within minutes.",
        "Everybody who waits for a parcel.",
        ("The address ends in parcel.example or in letters that look alike.", "The fee is due “today”."),
        ("Do not open the link: delete the message.", "Ask the postal service on its own page.",
         "Block your card if you entered its number."),
        "Keep the message, call your bank and report it to your local police.",
        image_texts={"message.png": "A message on a phone that asks for a fee of 1.99"},
    ),
    Text(
        "fr", "De faux messages de colis vident des comptes bancaires",
        "Des criminels envoient des messages au nom de services postaux. Le lien mène à une page qui demande une "
        "petite somme.\n\nQuiconque y saisit une carte perd ce qu’elle contient : les paiements commencent en quelques "
        "minutes.",
        "Toute personne qui attend un colis.",
        ("L’adresse se termine par parcel.example ou des lettres semblables.", "La somme est due « aujourd’hui »."),
        ("N’ouvrez pas le lien : supprimez le message.", "Renseignez-vous sur le site du service postal.",
         "Faites bloquer votre carte si vous en avez saisi le numéro."),
        "Conservez le message, appelez votre banque et signalez les faits à la police.",
        Made.CHECKED,
        {"message.png": "Un message sur un téléphone qui demande 1,99"},
    ),
    Text(
        "es", "Falsos mensajes de paquetes vacían cuentas bancarias",
        "Delincuentes envían mensajes en nombre de servicios postales. El enlace lleva a una página que pide una "
        "pequeña suma.\n\nQuien introduce allí su tarjeta pierde lo que contiene: los pagos empiezan en minutos.",
        "Toda persona que espera un paquete.",
        ("La dirección termina en parcel.example o en letras parecidas.", "La suma vence «hoy»."),
        ("No abra el enlace: borre el mensaje.", "Pregunte en la página del servicio postal.",
         "Bloquee su tarjeta si introdujo su número."),
        "Guarde el mensaje, llame a su banco y denúncielo a la policía local.",
        Made.HUMAN,
        {"message.png": "Un mensaje en un teléfono que pide 1,99"},
    ),
    Text(
        "ar", "رسائل طرود مزيفة تفرغ الحسابات المصرفية",
        "يرسل مجرمون رسائل باسم خدمات البريد. يقود الرابط إلى صفحة parcel.example التي تطلب رسمًا صغيرًا.\n\n"
        "من يُدخل بطاقته هناك يفقد ما فيها: تبدأ عمليات الدفع خلال دقائق.",
        "كل من ينتظر طردًا.",
        ("ينتهي العنوان بـ parcel.example أو بأحرف مشابهة.", "الرسم مستحق «اليوم»."),
        ("لا تفتح الرابط: احذف الرسالة.", "اسأل خدمة البريد عبر صفحتها.", "أوقف بطاقتك إذا أدخلت رقمها."),
        "احتفظ بالرسالة واتصل بمصرفك وأبلغ الشرطة المحلية.",
        Made.MACHINE,
        {"message.png": "رسالة على هاتف تطلب 1.99"},
    ),
)  # fmt: skip
SIGNS = (
    PublicSign("parcel-fee.example", Kind.DOMAIN, "PostBoxer"),
    PublicSign("https://parcel-fee.example/pay?a=1&b=2", Kind.URL),
    PublicSign("198.51.100.9", Kind.IPV4),
    PublicSign("2001:db8::9", Kind.IPV6),
    PublicSign("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Kind.SHA256),
    PublicSign("CVE-2024-3094", Kind.CVE),
    PublicSign("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Kind.WALLET),
)
PICTURE = Image("message.png", "image/png", b"\x89PNG\r\n\x1a\nnot a real one", 400, 300)


def edition(**changes: object) -> PublicEdition:
    """The alert of false parcels, with these fields changed."""
    facts: dict[str, object] = {
        "number": "METHOD-2026-0042", "version": 1, "message": Message.ALERT, "type": AlertType.METHOD,
        "offence": Offence.FRAUD, "severity": Severity.SEVERE, "urgency": Urgency.EXPECTED,
        "certainty": Certainty.OBSERVED, "issued": SENT, "sent": SENT, "expires": SENT + timedelta(days=90),
        "texts": PARCELS, "issuer": ISSUER, "countries": ("CL", "FR", "MA"), "signs": SIGNS, "images": (PICTURE,),
    }  # fmt: skip
    return PublicEdition(**(facts | changes))  # type: ignore[arg-type]


CASES: dict[str, PublicEdition] = {
    "alert": edition(),
    "without-signs": edition(number="METHOD-2026-0043", signs=(), images=(), countries=("QA",)),
    "update": edition(
        version=2, message=Message.UPDATE, sent=SENT + timedelta(days=2), signs=SIGNS[:3], former_signs=SIGNS[3:],
        earlier=(Earlier(1, Message.ALERT, SENT),),
        reasons={"en": "Two more signs are known.", "fr": "Deux autres signes sont connus.",
                 "es": "Se conocen dos señales más.", "ar": "عُرفت علامتان أخريان."},
    ),
    "cancel": edition(
        version=3, message=Message.CANCEL, sent=SENT + timedelta(days=9), signs=SIGNS[:3],
        earlier=(Earlier(1, Message.ALERT, SENT), Earlier(2, Message.UPDATE, SENT + timedelta(days=2))),
        reasons={"en": "Withdrawn: a source corrected what it said.", "fr": "Retirée : une source s’est corrigée.",
                 "es": "Retirada: una fuente corrigió lo que dijo.", "ar": "سُحب: صحّح أحد المصادر ما قاله."},
    ),
    "imminent": edition(
        number="IMMINENT-2026-0007", type=AlertType.IMMINENT, offence=Offence.RANSOMWARE, severity=Severity.EXTREME,
        urgency=Urgency.IMMEDIATE, certainty=Certainty.LIKELY, onset=SENT + timedelta(hours=3),
        expires=SENT + timedelta(days=3), texts=PARCELS[:1], countries=("FJ", "US"), images=(),
    ),
    "worldwide": edition(
        number="PREVENTION-2026-0003", type=AlertType.PREVENTION, offence=Offence.ILLEGAL_ACCESS, signs=(), images=(),
        severity=Severity.MINOR, urgency=Urgency.FUTURE, certainty=Certainty.POSSIBLE, countries=(),
    ),
    "arabic": edition(number="METHOD-2026-0044", texts=PARCELS[3:], images=(), countries=("EG", "MA")),
}  # fmt: skip
"""One for each thing that can happen to an alert."""

_plain = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " .,:;'\"<>&]éçñßдש中😀👩‍👩‍👧المرحبا،«»’…\n-=@"),
    min_size=1,
    max_size=60,
).filter(lambda text: bool(text.strip(" \n\xa0\u200d")))
_hostile = st.one_of(
    _plain,
    st.text(max_size=40),
    st.sampled_from(
        ["]]>", "<script>alert(1)</script>", "&lt;", "\u202egnp.exe", "\x00\x0b", "a\ud800", "=cmd()", "</info>",
         "\u2066\u2069", "\ufeff", "\r\n.\r\n", "{0} {limit}", "%s", "<!--", "<![CDATA[",
         "wort " * 10_000, "\U0001f3f4\U000e0067"]
    ),
)  # fmt: skip


def _texts(languages: tuple[str, ...], words: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Text, ...]]:
    one = st.builds(
        lambda title, *rest: (title.strip(" \n")[:120] or "t", *rest),
        words, words, words, st.lists(words, max_size=3).map(tuple), st.lists(words, max_size=3).map(tuple), words,
        st.sampled_from(Made),
    )  # fmt: skip
    return st.tuples(*(one for _ in languages)).map(
        lambda made: tuple(
            Text(language, title, f"{happening} –", at_risk, recognise, steps, victim, how)
            for language, (title, happening, at_risk, recognise, steps, victim, how) in zip(
                languages, made, strict=True
            )
        )
    )


def editions(words: st.SearchStrategy[str] = _plain) -> st.SearchStrategy[PublicEdition]:
    """Any edition that can be published, where the words can."""
    languages = st.sampled_from(
        [("en",), ("en", "fr"), ("ar",), ("en", "fr", "es", "ar"), ("en", "fr", "es", "ar", "pt-BR")]
    )
    return st.builds(
        _built,
        texts=languages.flatmap(lambda each: _texts(each, words)),
        reason=words,
        version=st.integers(1, 4),
        is_cancelled=st.booleans(),
        type=st.sampled_from([AlertType.METHOD, AlertType.IMMINENT, AlertType.PREVENTION]),
        offence=st.sampled_from([each for each in Offence if each is not Offence.NONE]),
        severity=st.sampled_from([each for each in Severity if each is not Severity.UNKNOWN]),
        urgency=st.sampled_from([each for each in Urgency if each is not Urgency.UNKNOWN]),
        certainty=st.sampled_from([each for each in Certainty if each is not Certainty.UNKNOWN]),
        countries=st.lists(st.sampled_from(["CL", "FJ", "RU", "SJ", "VA", "XA"]), unique=True, max_size=3).map(
            lambda codes: tuple(sorted(codes))
        ),
        signs=st.lists(st.sampled_from(SIGNS), unique=True, max_size=4).map(tuple),
        days=st.integers(1, 400),
    )


def hostile_editions() -> st.SearchStrategy[PublicEdition]:
    """The same with words that nobody checked."""
    return editions(_hostile)


def _built(
    texts: tuple[Text, ...], reason: str, version: int, is_cancelled: bool, days: int, **facts: object
) -> PublicEdition:  # fmt: skip
    message = Message.ALERT if version == 1 else Message.CANCEL if is_cancelled else Message.UPDATE
    sent = SENT + timedelta(days=version - 1)
    earlier = tuple(
        Earlier(number, Message.ALERT if number == 1 else Message.UPDATE, SENT + timedelta(days=number - 1))
        for number in range(1, version)
    )
    return edition(
        texts=texts, version=version, message=message, sent=sent, expires=sent + timedelta(days=days), earlier=earlier,
        reasons={each.language: reason for each in texts} if version > 1 else {}, images=(), **facts,
    )  # fmt: skip
