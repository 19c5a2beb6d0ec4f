"""Column maps: which one reads a delivery. A named one, the one remembered for this partner and header, a feed's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Organisation, Person
from tocsin.core.profiles import Profile

from .models import SavedProfile
from .reading import profile_from_json, profile_to_json


def named(name: str, organisation: Organisation) -> Profile | None:
    """A map saved for the organisation, or the profile of a feed; None when nothing has that name."""
    from tocsin.reference.feeds import all_feeds, default_folder

    saved = SavedProfile.objects.filter(organisation=organisation, name=name).first()
    if saved is not None:
        return profile_from_json(saved.body)
    return next((feed.profile for feed in all_feeds(default_folder()) if feed.slug == name), None)


def remembered(organisation: Organisation) -> dict[str, Any]:
    """Fingerprint of a header → the profile that was saved for it, for the reader to use when it meets one."""
    saved = SavedProfile.objects.filter(organisation=organisation).exclude(fingerprint="").order_by("created_at")
    return {each.fingerprint: each.body for each in saved}


@transaction.atomic
def save(
    *, organisation: Organisation, name: str, profile: Profile, fingerprint: str, by: Person | None, at: datetime
) -> SavedProfile:
    """Remember a map for a partner; the same name replaces the older one."""
    saved, _ = SavedProfile.objects.update_or_create(
        organisation=organisation,
        name=name,
        defaults={"body": profile_to_json(profile), "fingerprint": fingerprint, "created_by": by, "created_at": at},
    )
    actor = by.login if by else "system"
    record(actor, "profile.saved", f"profile:{saved.pk}", {"name": name, "organisation": organisation.slug}, at=at)
    return saved


def from_form(base: Profile, columns: Mapping[str, str | int], defaults: Mapping[str, str], marking: str) -> Profile:
    """A guessed profile with a person's changes."""
    from dataclasses import replace

    return replace(base, columns=dict(columns), defaults={**base.defaults, **defaults}, marking=marking)
