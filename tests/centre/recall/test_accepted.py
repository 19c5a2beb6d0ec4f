"""Values that reviewers accepted in a report follow it: under another label, and out of sight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import timezone
from tests import builders, people
from tests.centre.recall.conftest import handed_over, known_of
from tests.crew import work

from tocsin.centre.analysis.lookups import answer
from tocsin.centre.analysis.models import Proposal
from tocsin.centre.analysis.services import decide_proposals
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import relabelling, services
from tocsin.centre.recall.models import Recall, Relabelling
from tocsin.centre.recall.relabelling import chosen_of, relabel
from tocsin.core.errors import Conflict
from tocsin.core.observations import SCHEMA
from tocsin.core.words import Tlp

APART = b"Nothing else was seen on that day.\n" * 40
"""So much that neither is named in the words around the other."""
REPORT = b"# Report\n\nIt spoke to evil[.]phish[.]example.\n\n" + APART + b"\nAnd to worse[.]phish[.]example.\n"
EVIL, WORSE = "evil.phish.example", "worse.phish.example"
FRENCH = {"tlp": "TLP:AMBER+STRICT", "audience": ["ncb-fr"]}
pytestmark = pytest.mark.django_db


def accepted(report: Delivery, *values: str) -> Delivery:
    """The delivery of these values, decided at once and waiting to be read."""
    found = [each for each in report.proposals.order_by("pk") if each.value in values]
    assert len(found) == len(values)
    drawn = decide_proposals(
        proposals=found, accept=True, role="ATTACKER_INFRA", by=people.call("rui_reviewer"), at=timezone.now()
    )
    assert drawn is not None
    return drawn


def let_go(delivery: Delivery) -> None:
    set_audience(Batch.objects.filter(delivery=delivery), BY_LABEL)


def changed(report: Delivery, changes: dict[str, object], *keys: str, by: str = "pia_partner") -> Relabelling:
    seen = chosen_of(report, keys).mark
    return relabel(report, keys, changes, seen=seen, note="", by=people.call(by), at=timezone.now())


def seen_by(*officers: Person) -> list[tuple[int, int]]:
    """Rows of the one value and of the other, for each officer."""
    return [(known_of(EVIL, each)[0], known_of(WORSE, each)[0]) for each in officers]


def test_a_stricter_label_of_a_value_or_a_report_holds_for_what_was_accepted_in_it(officers: list[Person]) -> None:
    report = handed_over(REPORT, "report.md")
    drawn = accepted(report, EVIL, WORSE)
    work()
    let_go(drawn)
    fleur, khalil = officers[:2]
    for each in (fleur, khalil):
        took(each, Taking.Channel.API, [drawn.batches.get().pk], timezone.now())
    assert seen_by(fleur, khalil) == [(1, 1), (1, 1)]

    assert changed(report, FRENCH, "evil[.]phish[.]example").state == "done"

    assert seen_by(fleur, khalil) == [(1, 1), (0, 1)]
    told = dict(Recall.objects.get(delivery=drawn).notices.values_list("organisation__slug", "state"))
    assert told["ncb-jo"] == "informed"
    assert "ncb-fr" not in told
    whole = changed(report, FRENCH)
    assert seen_by(fleur, khalil) == [(1, 1), (0, 0)]
    assert whole.recall is not None
    subjects = Entry.objects.filter(action="relabel.done").order_by("pk").values_list("subject", flat=True)
    assert list(subjects) == [f"delivery:{report.pk}", f"delivery:{drawn.pk}"] * 2


def test_it_holds_for_what_nobody_has_read_yet(officers: list[Person]) -> None:
    """Accepted, relabelled, and only then read: the old label never holds for a moment."""
    report = handed_over(REPORT, "report.md")
    evil, worse = accepted(report, EVIL), accepted(report, WORSE)
    changed(report, FRENCH, EVIL)
    work()
    let_go(evil)
    let_go(worse)
    assert evil.batches.get().handling_set.tlp == Tlp.AMBER_STRICT.value
    assert seen_by(*officers[:2]) == [(1, 1), (0, 1)]


def test_what_opens_a_report_opens_what_was_accepted_in_it_once_a_second_person_says_so(
    officers: list[Person],
) -> None:
    report = handed_over(REPORT, "report.md", released=False)
    changed(report, FRENCH)
    drawn = accepted(report, EVIL)
    work()
    let_go(drawn)
    asked = changed(report, {"tlp": "TLP:AMBER", "audience": []})
    assert asked.state == "waiting", "of the report nothing was let go, of the value it was"
    assert seen_by(officers[1]) == [(0, 0)]
    relabelling.confirm(asked, by=people.call("dora_dissemination"), is_proved=True, at=timezone.now())
    assert seen_by(officers[1]) == [(1, 0)]


def test_what_is_stricter_already_is_not_opened_with_its_report(officers: list[Person]) -> None:
    report = handed_over(REPORT, "report.md", marking="TLP:GREEN")
    drawn = accepted(report, EVIL)
    work()
    let_go(drawn)
    narrow = builders.handling(Tlp.AMBER_STRICT, audience=("ncb-fr",))
    Batch.objects.filter(delivery=drawn).update(handling_set=narrow)
    assert changed(report, {"tlp": "TLP:AMBER"}, by="lena_legal").state == "done", "stricter: the Centre may"
    assert drawn.batches.get().handling_set == narrow
    assert seen_by(*officers[:2]) == [(1, 0), (0, 0)]


def test_a_restored_backup_lays_it_down_again(officers: list[Person]) -> None:
    report = handed_over(REPORT, "report.md")
    drawn = accepted(report, EVIL)
    work()
    let_go(drawn)
    under = drawn.batches.get().handling_set
    changed(report, {"exclusions": ["country:JO"]})
    Relabelling.objects.all().delete()
    Batch.objects.filter(delivery__in=[report, drawn]).update(handling_set=under)
    assert seen_by(officers[1]) == [(1, 0)]
    assert relabelling.replay(datetime.now(UTC)) == 1
    assert seen_by(*officers[:2]) == [(1, 0), (0, 0)]


def test_a_reviewer_who_accepts_values_meanwhile_makes_it_begin_anew(
    officers: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between choosing and the transaction: the value that came in between is not forgotten."""
    report = handed_over(REPORT, "report.md")
    late: list[Delivery] = []
    known = relabelling.known_clients

    def accepts_in_between() -> set[str]:
        if not late:
            late.append(accepted(report, EVIL))
        return known()

    monkeypatch.setattr(relabelling, "known_clients", accepts_in_between)
    assert changed(report, FRENCH).state == "done"
    work()
    let_go(late[0])
    assert seen_by(*officers[:2]) == [(1, 0), (0, 0)]


def test_what_is_recalled_before_it_is_read_never_comes_to_light(officers: list[Person]) -> None:
    report = handed_over(REPORT, "report.md")
    evil, worse = accepted(report, EVIL), accepted(report, WORSE)
    said = {"reason": "source-withdrawal", "action": "destroy", "note": "", "by": people.call("pia_partner")}
    services.recall_parts(report, [EVIL], at=timezone.now(), **said)
    work()
    for each in (evil, worse):
        let_go(each)
    assert seen_by(officers[0]) == [(0, 1)]
    assert Entry.objects.get(action="delivery.closed-with-origin").subject == f"delivery:{evil.pk}"


def test_what_stands_beside_it_in_the_report_does_not_name_it_afterwards(officers: list[Person]) -> None:
    """The row of a value says nothing of its neighbours, whatever becomes of them."""
    report = handed_over(b"# Report\n\nIt spoke to evil[.]phish[.]example and worse[.]phish[.]example.\n", "report.md")
    drawn = accepted(report, EVIL, WORSE)
    work()
    let_go(drawn)
    changed(report, FRENCH, EVIL)
    for each in officers[:2]:
        [row] = answer(WORSE, viewer_of(each), columns=tuple(SCHEMA)).found.rows.to_dicts()
        assert row["value"] == WORSE
        assert "evil" not in str(row)
        assert report.receipt in row["reference"]


def test_nothing_is_accepted_in_a_report_that_was_recalled(officers: list[Person]) -> None:
    report = handed_over(REPORT, "report.md")
    stale = list(Proposal.objects.filter(delivery=report).select_related("batch__handling_set", "delivery"))
    services.recall(report, by=people.call("pia_partner"), reason="legal", action="destroy", note="",
                    at=timezone.now())  # fmt: skip
    with pytest.raises(Conflict, match="recalled"):
        decide_proposals(
            proposals=stale, accept=True, role="ATTACKER_INFRA", by=people.call("rui_reviewer"), at=timezone.now()
        )


def test_values_written_defanged_are_recalled_wherever_they_were_accepted(officers: list[Person]) -> None:
    """Two values, accepted apart: in neither list does the other one's absence hide its own."""
    report = handed_over(REPORT, "report.md")
    for value in (EVIL, WORSE):
        drawn = accepted(report, value)
        work()
        let_go(drawn)
    assert seen_by(officers[0]) == [(1, 1)]
    services.recall_parts(
        report, ["evil[.]phish[.]example", "worse[.]phish[.]example"], by=people.call("pia_partner"),
        reason="source-withdrawal", action="destroy", note="", at=timezone.now(),
    )  # fmt: skip
    assert seen_by(officers[0]) == [(0, 0)]
