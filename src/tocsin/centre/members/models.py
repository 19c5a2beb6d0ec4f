"""Organisations, people, keys and interned handling sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp

from .agreement_states import Basis, Facts, State
from .emergency_states import HOURS_MOST
from .emergency_states import Facts as EmergencyFacts


class HandlingSet(models.Model):
    """An interned handling set: equal sets are one row (DOMAIN section 4.2). `digest` is its identity."""

    digest = models.CharField(max_length=64, unique=True)
    tlp = models.CharField(max_length=16, choices=[(tlp.value, tlp.value) for tlp in Tlp])
    body = models.JSONField()
    """The whole set as `handling.HandlingSet.as_json` writes it."""


class Organisation(models.Model):
    """A partner, a bureau, a CERT, a university, or the Centre itself. Its class fixes the zone ceiling."""

    class Class(models.TextChoices):
        LAW_ENFORCEMENT = "law-enforcement"
        PUBLIC_BODY = "public-body"
        PRIVATE = "private"
        ACADEMIA = "academia"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    class_name = models.CharField(max_length=16, choices=Class)
    country = models.CharField(max_length=2, default="", blank=True)
    is_centre = models.BooleanField(default=False)
    is_bureau = models.BooleanField(default=False)
    is_exercise = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    contact = models.CharField(max_length=200, default="", blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    """The bureau, or unit of it, that a national unit or a sub-bureau stands below."""
    withdrawn_at = models.DateTimeField(null=True)
    """When the bureau took the authorisation of this unit away, which holds whatever a clock says; None: it has it."""
    defaults = models.JSONField(default=dict)
    """What holds for whatever a delivery does not say: fields of `handling.HandlingSet`. Nowhere else is it kept."""
    limits = models.JSONField(default=dict)
    """Limits that the Centre's administrator set for it alone (`limits`): name as below `[limits]` → how much."""
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **said: Any) -> None:
        """Raises InputError("invalid-object") where the organisation would come to stand below itself."""
        if self.has_circle():
            raise InputError("invalid-object", field="parent", excerpt=self.slug)
        super().save(*args, **said)

    def above(self) -> tuple[Organisation, ...]:
        """Every organisation that it stands below, the nearest first; each once, even in a circle."""
        found: dict[int, Organisation] = {}
        each = self.parent
        while each is not None and each.pk not in found and each.pk != self.pk:
            found[each.pk] = each
            each = each.parent
        return tuple(found.values())

    def has_circle(self) -> bool:
        """Whether going up from here comes back to where it was. Nobody of such an organisation is let in, however the
        circle came into the database."""
        last = (self, *self.above())[-1]
        return last.parent is not None

    def below(self) -> set[int]:
        """Numbers of all that stand below it, at any depth, without itself."""
        children: dict[int, list[int]] = {}
        for key, parent in Organisation.objects.exclude(parent=None).values_list("pk", "parent_id"):
            children.setdefault(parent or 0, []).append(key)
        found: set[int] = set()
        waiting = [self.pk]
        while waiting:
            fresh = [key for key in children.get(waiting.pop(), ()) if key not in found]
            found.update(fresh)
            waiting += fresh
        return found - {self.pk}


class CountryStatus(models.Model):
    """How a member country takes part from a moment on. The last row that has begun holds; without any it is active."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUPERVISED = "supervised"  # What it hands over waits for a check by the Centre.
        RESTRICTED = "restricted"  # Reads; hands nothing over, and no new package is made for it.
        SUSPENDED = "suspended"  # Nobody of its bureau, units and sub-bureaus comes in.

    code = models.CharField(max_length=2)
    status = models.CharField(max_length=12, choices=Status)
    from_at = models.DateTimeField()
    reason = models.TextField()
    set_by = models.CharField(max_length=120)
    """Login."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["code", "from_at"])]


class Agreement(models.Model):
    """What a partner and the Centre agreed on, for a term. Whether it is in force follows from it and the moment."""

    number = models.CharField(max_length=24, unique=True)
    """For people: AG-2026-4F07A2C19B. Drawn, so that no partner learns how many others there are."""
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="agreements")
    title = models.CharField(max_length=200, default="", blank=True)
    basis = models.CharField(max_length=12, default=Basis.PROCEDURE.value)
    state = models.CharField(max_length=12, default=State.EXPLORED.value)
    starts_on = models.DateField(null=True)
    ends_on = models.DateField(null=True)
    """The last day, which counts whole in UTC; None: without an end."""
    data_types = models.JSONField(default=list)
    """Of `agreement_states.DATA_TYPES`; empty: everything."""
    application = models.JSONField(default=dict, blank=True)
    """What a would-be partner wrote when it applied by itself; see `applications`."""
    survival = models.TextField(default="", blank=True)
    """What goes on to bind both sides after its end."""
    ownership = models.TextField(default="", blank=True)
    jurisdiction = models.TextField(default="", blank=True)
    conflicts = models.TextField(default="", blank=True)
    security = models.TextField(default="", blank=True)
    human_rights = models.TextField(default="", blank=True)
    vetted_by = models.CharField(max_length=120, default="", blank=True)
    """Login of who passed the vetting last."""
    vetted_at = models.DateTimeField(null=True)
    vetted_until = models.DateField(null=True)
    signed_for_centre = models.CharField(max_length=160, default="", blank=True)
    signed_for_centre_on = models.DateField(null=True)
    signed_for_partner = models.CharField(max_length=160, default="", blank=True)
    signed_for_partner_on = models.DateField(null=True)
    key_fingerprint = models.CharField(max_length=64, default="", blank=True)
    """Of the partner's key as it was compared in a second way; `page-only` for a partner without one."""
    security_contact = models.CharField(max_length=200, default="", blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=models.Q(state__in=["explored", "vetting", "negotiated", "signed"]),
                name="agreement_one_in_preparation",
            )
        ]

    def __str__(self) -> str:
        return self.number

    def save(self, *args: Any, **options: Any) -> None:
        """As ever, under a number."""
        self.number = self.number or drawn_number("AG", self.created_at)
        super().save(*args, **options)

    @property
    def facts(self) -> Facts:
        """What the rules look at."""
        return Facts(
            state=State(self.state), basis=Basis(self.basis), starts_on=self.starts_on, ends_on=self.ends_on,
            vetted_by=self.vetted_by, vetted_until=self.vetted_until, signed_for_centre=self.signed_for_centre,
            signed_for_centre_on=self.signed_for_centre_on, signed_for_partner=self.signed_for_partner,
            signed_for_partner_on=self.signed_for_partner_on, key_fingerprint=self.key_fingerprint,
            security_contact=self.security_contact,
        )  # fmt: skip


class PersonManager(BaseUserManager["Person"]):
    """Looks people up by login."""

    def get_by_natural_key(self, username: str | None) -> Person:
        """However its letters are written; where two differ in that alone, each by its own."""
        return self.filter(login=username).first() or self.get(login__iexact=username)


class Person(AbstractBaseUser):
    """Somebody who signs in. Belongs to one organisation; roles are words of `members.rules.ROLES`."""

    through: Key | None = None
    """The key with which a program acts for the person in this request; no column holds it."""

    login = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=160)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="people")
    roles = models.JSONField(default=list)
    language = models.CharField(max_length=5, default="en")
    time_zone = models.CharField(max_length=40, default="UTC")
    is_active = models.BooleanField(default=True)
    must_change_password = models.BooleanField(default=False)
    clearance = models.CharField(max_length=16, default="", blank=True)
    """Of `handling.CLASSIFICATIONS`; empty: as high as the side goes. Never more than that."""
    languages = models.JSONField(default=list)
    """Of `rules.LANGUAGES`: what the person reads and speaks."""
    teams = models.JSONField(default=list)
    employer = models.ForeignKey(Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="seconded")
    """Who seconded the person to its seat at the Centre; None: nobody did."""
    seat_from = models.DateField(null=True)
    seat_until = models.DateField(null=True)
    """The last day of the seat, which counts whole in UTC; None: without an end."""
    confirmed_at = models.DateTimeField(null=True)
    """When somebody above said last that the person still needs access."""
    confirmed_by = models.CharField(max_length=120, default="", blank=True)
    created_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True, default=None)
    """Since when nobody comes in with it: somebody who reads nothing made it, or gave it a way in, and a second person
    has not looked at it yet (`second_look`)."""
    held_by = models.CharField(max_length=120, default="", blank=True)
    """Login of who did, or `command`."""

    USERNAME_FIELD = "login"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = PersonManager()

    def __str__(self) -> str:
        return self.name

    def has_role(self, *roles: str) -> bool:
        """Whether the person holds any of these roles."""
        return any(role in self.roles for role in roles)


class Key(models.Model):
    """A machine's key for the API and TAXII. Only its digest is kept."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="keys")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    """Of `rules.SCOPES`."""
    ceiling = models.CharField(max_length=16, default="", blank=True, choices=[(tlp.value, tlp.value) for tlp in Tlp])
    """Narrowest label that can be read through it; empty: all that its owner may read."""
    ranges = models.JSONField(default=list)
    """Networks that it may be used from; empty: anywhere."""
    certificate = models.CharField(max_length=64, default="", blank=True)
    """SHA-256 of the client certificate (DER) that must be shown beside it; empty: none."""
    certificate_subject = models.CharField(max_length=200, default="", blank=True)
    certificate_ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    """When it was shown last where or when it opens nothing; of a stream of tries one each minute."""
    refused_for = models.CharField(max_length=20, default="", blank=True)
    """Of `key_rules.Refusal`."""
    refused_from = models.CharField(max_length=45, default="", blank=True)

    @property
    def ends_at(self) -> datetime:
        """When it opens nothing any more: its own time is over, or that of the certificate beside it."""
        return min(self.expires_at, self.certificate_ends_at or self.expires_at)


class Guesses(models.Model):
    """What is counted within one window: failed tries to sign in, by address and by address with login; and how much a
    person or key asked for (`limits`)."""

    subject = models.CharField(max_length=60, unique=True)
    """A hash for tries, since who tried what is in the log of acts; of limits kind, number and window."""
    tries = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField(db_index=True)


class LimitRefusal(models.Model):
    """How often within an hour a limit of an organisation, or of one of its people or keys, turned something away."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="limit_refusals")
    name = models.CharField(max_length=40)
    """As below `[limits]`."""
    door = models.CharField(max_length=8)
    """pages, api or taxii."""
    hour_at = models.DateTimeField(db_index=True)
    times = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "name", "door", "hour_at"], name="limit_refusal_once"),
        ]


class CodeApp(models.Model):
    """A person's app that shows a code of six digits (TOTP)."""

    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="code_app")
    sealed = models.CharField(max_length=200)
    """The shared secret, sealed with a key that no database holds (`credentials.sealing`)."""
    last_step = models.BigIntegerField(default=0)
    """The half minute whose code was used last: it and all before it are spent."""
    created_at = models.DateTimeField()


class RecoveryCode(models.Model):
    """Stands in once for a lost second factor. Only its digest is kept."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "digest"], name="recovery_code_once")]


class Passkey(models.Model):
    """The public half of a key that a person's phone, computer or security key keeps (WebAuthn)."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=80)
    credential = models.CharField(max_length=1400, unique=True)
    """The number the device gave it, in base64url."""
    body = models.BinaryField()
    """Device type, number and public key, as WebAuthn attests them."""
    uses = models.BigIntegerField(default=0)
    """The device's own count of signatures, where it keeps one: a copy of the device falls behind."""
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class OpenSession(models.Model):
    """A browser in which somebody is signed in. It ends with the row of Django's session that it describes."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="open_sessions")
    session_key = models.CharField(max_length=40, unique=True)
    address = models.CharField(max_length=45, default="")
    browser = models.CharField(max_length=20, default="")
    system = models.CharField(max_length=20, default="")
    proved_by = models.CharField(max_length=80, default="")
    """How the person came in: words of `signing_in`, with commas."""
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()


class EmergencyAccess(models.Model):
    """What one person of the Centre asked to read in an emergency, and whether a second one let it."""

    asked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reason = models.TextField()
    hours = models.PositiveSmallIntegerField()
    receipt = models.CharField(max_length=60, default="", blank=True)
    """Of the delivery; empty where all of an organisation are meant."""
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="+")
    approved_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    """Nobody, where its time went by."""
    ended_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(approved_by=models.F("asked_by")), name="emergency_by_two"),
            models.CheckConstraint(condition=models.Q(hours__range=(1, HOURS_MOST)), name="emergency_hours"),
        ]

    @property
    def subject(self) -> str:
        """How the log names it."""
        return f"emergency:{self.pk}"

    @property
    def what(self) -> str:
        """What it is about, in the words of the log."""
        return f"organisation:{self.organisation.slug}" if self.organisation else f"receipt:{self.receipt}"

    @property
    def facts(self) -> EmergencyFacts:
        """What the rules look at."""
        return EmergencyFacts(
            self.asked_by_id, self.asked_at, self.hours, self.approved_by_id or 0, self.approved_at, self.ended_at
        )

    @property
    def ends_at(self) -> datetime:
        """When it is over or lapses at the latest."""
        return self.facts.ends_at


class Provider(models.Model):
    """Where an organisation's people prove who they are: its own provider of sign-in."""

    class Kind(models.TextChoices):
        OPENID = "openid"
        SAML = "saml"

    organisation = models.OneToOneField(Organisation, on_delete=models.CASCADE, related_name="provider")
    kind = models.CharField(max_length=8, choices=Kind)
    key = models.CharField(max_length=32, unique=True)
    """Stands in its addresses: each provider has its own, so that no other's answer is taken for its."""
    is_on = models.BooleanField(default=False)
    is_only = models.BooleanField(default=False)
    """Whether passwords and passkeys of its people let nobody in."""
    break_glass = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    """The administrator of the Centre whose password goes on to count."""
    issuer = models.CharField(max_length=400)
    """How the provider names itself in what it signs (SAML: its entity id)."""
    client = models.CharField(max_length=200, default="", blank=True)
    """How the provider names us; SAML needs none."""
    sealed = models.CharField(max_length=1000, default="", blank=True)
    """The secret that it gave us, sealed with a key that no database holds."""
    published = models.JSONField(default=dict)
    """What the provider says of itself: addresses, keys."""
    read_at = models.DateTimeField()
    """When that was read last."""
    claim = models.CharField(max_length=120)
    """What the provider must say of a person to be taken for the account of that login, the first time."""
    counts_as_factor = models.BooleanField(default=False)
    factor_words = models.JSONField(default=list)
    """What the provider says when it saw a second factor."""
    created_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True, default=None)
    """Since when it lets nobody in, for a second person must make sure whose provider it is (`second_look`)."""
    held_by = models.CharField(max_length=120, default="", blank=True)
    """The login, or `command`, for whose act it waits."""


class Identity(models.Model):
    """By which lasting name a provider knows a person."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="identities")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="identities")
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField()
    used_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "subject"], name="identity_of_one_person"),
            models.UniqueConstraint(fields=["provider", "person"], name="identity_one_for_person"),
        ]


class SeenAssertion(models.Model):
    """A SAML assertion that was taken: it opens nothing twice. What it said waits here for the browser to come on."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="assertions")
    digest = models.CharField(max_length=64, unique=True)
    ticket = models.CharField(max_length=64, unique=True)
    """Digest of what the browser comes on with."""
    body = models.JSONField(default=dict)
    expires_at = models.DateTimeField(db_index=True)
