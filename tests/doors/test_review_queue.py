"""The review queue: pages that miss and repeat nothing, decisions on many at once, and who may not."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people, scene

from tocsin.centre.analysis import reviewing
from tocsin.centre.analysis.models import CountryConflict, Proposal
from tocsin.centre.intake.models import Batch
from tocsin.centre.jobs.models import Job
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def shown(client: Client) -> scene.Scene:
    client.force_login(people.call("rui_reviewer"))
    return scene.make()


def _walk(client: Client, query: str, name: str) -> list[list[int]]:
    """Keys of the boxes on each page, following the link to the next."""
    pages = []
    while True:
        page = client.get(f"{reverse('review')}?{query}").content.decode()
        pages.append([int(key) for key in re.findall(rf'name="{name}" value="(\d+)"', page)])
        link = re.search(r'<a[^>]*rel="next"[^>]*>', page)
        if link is None:
            return pages
        query = re.search(r'href="\?([^"]+)"', link[0])[1].replace("&amp;", "&")  # type: ignore[index]
        assert parse_qs(query)["after"]


def test_pages_of_conflicts_hold_each_once_largest_first(
    client: Client, shown: scene.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewing, "CONFLICTS_SHOWN", 4)
    batch = shown.conflict.batch
    for place in range(13):
        CountryConflict.objects.create(batch=batch, kind="ipv4", value=f"192.0.2.{place}", rows=place // 3 + 1,
                                       claims={"stated": "FR", "geo": "JO"})  # fmt: skip
    pages = _walk(client, "tab=countries", "conflict")
    expected = list(CountryConflict.objects.order_by("-rows", "pk").values_list("pk", flat=True))
    assert [len(page) for page in pages] == [4, 4, 4, 2]
    assert [key for page in pages for key in page] == expected


@pytest.mark.usefixtures("contexts")
def test_rows_that_the_reviewer_may_not_see_are_not_counted(client: Client, shown: scene.Scene) -> None:
    of = builders.delivery(builders.organisation("northwind"))
    red = builders.batch(of, builders.handling(Tlp.RED))
    CountryConflict.objects.create(batch=red, kind="ipv4", value="192.0.2.9", rows=7_000, claims={"geo": "JO"})
    context = client.get(reverse("review"), {"tab": "countries"}).context
    assert context["rows_waiting"] == shown.conflict.rows


def test_pages_of_proposals_follow_the_report(
    client: Client, shown: scene.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewing, "PROPOSALS_SHOWN", 3)
    batch = Batch.objects.get(delivery=shown.report)
    for place in range(8):
        Proposal.objects.create(delivery=shown.report, batch=batch, kind="domain", value=f"n{place}.example",
                                shown_as="", page=1 + place % 3, offset=place // 4)  # fmt: skip
    pages = _walk(client, f"tab=proposals&report={shown.report.receipt}", "proposal")
    expected = list(Proposal.objects.order_by("page", "offset", "pk").values_list("pk", flat=True))
    assert [key for page in pages for key in page] == expected
    assert max(map(len, pages)) == 3


@pytest.mark.parametrize("cursor", ["x", "1", "1~", "-1~2", "9" * 30 + "~1", "1~2~3~4", "²~1"])
@pytest.mark.parametrize("tab", ["countries", "proposals"])
def test_a_broken_cursor_starts_anew(client: Client, shown: scene.Scene, tab: str, cursor: str) -> None:
    response = client.get(reverse("review"), {"tab": tab, "after": cursor})
    assert response.status_code == 200
    assert 'class="ticks' in response.content.decode()


def test_many_conflicts_follow_one_claim(client: Client, shown: scene.Scene) -> None:
    batch = shown.conflict.batch
    without = CountryConflict.objects.create(batch=batch, kind="domain", value="x.example", claims={"tld": "JO"})
    other = CountryConflict.objects.create(batch=batch, kind="ipv4", value="192.0.2.9", claims={"registry": "JO"})
    left = CountryConflict.objects.create(batch=batch, kind="ipv4", value="192.0.2.8", claims={"registry": "JO"})
    ticked = [shown.conflict.pk, without.pk, other.pk]
    page = client.post(
        reverse("decide-countries"), {"follow": "registry", "conflict": ticked}, follow=True
    ).content.decode()
    assert "2 conflicts were decided." in page
    assert "1 conflict has no such claim and keeps waiting." in page
    decided = dict(CountryConflict.objects.filter(state="decided").values_list("pk", "country"))
    assert decided == {shown.conflict.pk: "BR", other.pk: "JO"}
    assert set(CountryConflict.objects.filter(state="open")) == {without, left}
    assert Job.objects.filter(kind="recast-country").count() == 2


def test_all_proposals_means_every_page(client: Client, shown: scene.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "PROPOSALS_SHOWN", 1)
    client.post(reverse("decide-proposals"), {"report": shown.report.receipt, "act": "refuse-all"})
    assert set(Proposal.objects.values_list("state", flat=True)) == {"refused"}


def test_what_the_reviewer_may_not_see_is_not_decided(client: Client, shown: scene.Scene) -> None:
    hidden = builders.batch(builders.delivery(builders.organisation("southgate")), builders.handling(Tlp.RED))
    secret = CountryConflict.objects.create(batch=hidden, kind="ipv4", value="192.0.2.66", claims={"registry": "JO"})
    assert "192.0.2.66" not in client.get(reverse("review"), {"tab": "countries"}).content.decode()
    client.post(reverse("decide-countries"), {"follow": "registry", "conflict": [secret.pk]})
    secret.refresh_from_db()
    assert secret.state == "open"
    assert client.post(reverse("decide-countries"), {"follow": "rumour", "conflict": [secret.pk]}).status_code == 404
