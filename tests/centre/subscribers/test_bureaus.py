"""Bureaus hear by mail that a police edition is there, and not what it says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests import builders, people
from tests.crew import work
from tests.far_ends import Mailbox

from tocsin.centre.alerts import telling
from tocsin.centre.alerts.models import Alert, Version
from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Organisation
from tocsin.core.words import Tlp
from tocsin.products.alerts.draft import Draft, Texts, to_json

pytestmark = pytest.mark.django_db(transaction=True)


def sent(tlp: Tlp, *audience: str) -> Version:
    """An alert whose police edition is open to these."""
    by, now = people.call("dana_analyst"), datetime.now(UTC)
    delivery = builders.delivery(builders.centre(), "alert.json")
    batch = builders.batch(delivery, builders.handling(tlp, audience=audience))
    builders.release(batch)
    alert = Alert.objects.create(reference="A-2026-1", number="METHOD-2026-0007", type="METHOD", created_by=by,
                                 created_at=now)  # fmt: skip
    content = to_json(Draft(texts=Texts(title="The loader of the north", facts="It came by mail.")))
    return Version.objects.create(alert=alert, number=1, state="published-police", content=content, delivery=delivery)


def test_who_may_read_it_hears_of_it_and_of_nothing_that_it_says(mailbox: Mailbox) -> None:
    for login, contact in (
        ("fleur_officer", "Duty desk <duty@ncb-fr.example>, Fleur"),
        ("pia_partner", "pia@north.example"),
    ):
        person = people.call(login)
        Organisation.objects.filter(pk=person.organisation_id).update(contact=contact)
    jo = builders.bureau("JO")
    builders.person("jo_officer", jo, "officer", language="ar")
    Organisation.objects.filter(pk=jo.pk).update(contact="no address here")
    version = sent(Tlp.GREEN)
    telling.sent_to_police(version, datetime.now(UTC))
    work()
    [(to, mail)] = mailbox.mails
    assert to == "duty@ncb-fr.example"
    plain = mail.get_body(("plain",))
    assert plain is not None
    said = f"{mail['Subject']} {plain.get_content()}"
    assert "METHOD-2026-0007" in said
    assert "TLP:GREEN" in said
    assert str(version.delivery and version.delivery.receipt) in said
    assert "loader" not in said
    assert "came by mail" not in said
    entry = Entry.objects.get(action="alert.bureaus-told")
    assert '"told":1' in entry.detail
    assert "@" not in entry.detail


def test_who_may_not_read_it_does_not_learn_that_it_is_there(mailbox: Mailbox) -> None:
    fleur = people.call("fleur_officer")
    Organisation.objects.filter(pk=fleur.organisation_id).update(contact="duty@ncb-fr.example")
    builders.bureau("JO")
    telling.sent_to_police(sent(Tlp.AMBER_STRICT, "ncb-jo"), datetime.now(UTC))
    work()
    assert mailbox.mails == []
