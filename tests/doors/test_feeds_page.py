"""The page of the feeds: trouble stands first with its reason, and a switch leads back to its tab."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.intake.models import FeedState
from tocsin.reference.feeds import all_feeds

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_health_at_a_glance(client: Client) -> None:
    now = timezone.now()
    sound, failing = all_feeds()[0], all_feeds()[-1]
    brought = builders.delivery(builders.organisation("northwind"), rows=1234, rejections=7)
    FeedState.objects.create(
        slug=sound.slug, enabled=True, run_at=now, ok_at=now, next_at=now + timedelta(hours=3), last_delivery=brought
    )
    FeedState.objects.create(
        slug=failing.slug, enabled=True, run_at=now, next_at=now + timedelta(hours=5), failures=3, error="status: 503"
    )
    client.force_login(people.call("ada_administrator"))
    page = client.get(reverse("feeds")).content.decode()
    places = [page.index(f"<bdi>{feed.provider}</bdi>") for feed in (failing, sound)]
    assert places == sorted(places), "what is in trouble stands first"
    for text in ("The server answered with status 503.", "3 failures in a row", "1,234", "7 records refused"):
        assert text in page
    assert "in 3 hours" in page.split('<nav class="tabs"')[0], "the soonest of the next fetches"
    trouble = client.get(reverse("feeds"), {"show": "trouble"}).content.decode()
    assert failing.provider in trouble
    assert "1,234" not in trouble.split('<nav class="tabs"')[1]


def test_a_switch_leads_back_to_its_tab(client: Client) -> None:
    client.force_login(people.call("ada_administrator"))
    said = {"feed": all_feeds()[0].slug, "on": "1"}
    assert client.post(reverse("feed-switch"), said | {"show": "trouble"}).url == f"{reverse('feeds')}?show=trouble"
    assert client.post(reverse("feed-run"), said | {"show": "//elsewhere"}).url == reverse("feeds")


def test_a_feed_without_encryption_says_so(client: Client) -> None:
    """OWASP ASVS 12.3.1: whoever switches it on knows that others read it on the way, and can change it."""
    client.force_login(people.call("ada_administrator"))
    page = client.get(reverse("feeds")).content.decode()
    feeds = [feed for feed in all_feeds() if feed.address.startswith("http:")]
    assert feeds
    assert page.count("Published without encryption") == len(feeds)
