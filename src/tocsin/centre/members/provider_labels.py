"""Words of providers of sign-in, as people read them."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, str | Promise] = {"openid": _("OpenID Connect"), "saml": _("SAML 2.0")}

REFUSALS: dict[str, tuple[str | Promise, str | Promise]] = {
    "state": (
        _("This answer is too old, or it was used already."),
        _("Start again from the sign-in page, in this browser, and do not use the button to go back."),
    ),
    "denied": (
        _("Your organisation's provider did not let you through."),
        _("Try again. If it stays so, ask your organisation's IT support whether you may use this portal."),
    ),
    "unreachable": (
        _("Your organisation's provider cannot be reached."),
        _("Try again in a few minutes. If it stays so, tell your organisation's IT support."),
    ),
    "not-allowed": (
        _("Your organisation's provider lies at an address that this portal does not go to."),
        _("Tell the portal's administrator."),
    ),
    "provider": (
        _("Your organisation's provider is not set up for this portal as it should be."),
        _("Tell the portal's administrator."),
    ),
    "issuer": (
        _("The answer does not come from your organisation's provider."),
        _("Start again from the sign-in page. If it happens again, tell the portal's administrator at once."),
    ),
    "answer": (
        _("The answer of your organisation's provider cannot be trusted."),
        _("Start again from the sign-in page. If it happens again, tell the portal's administrator."),
    ),
    "used": (
        _("This answer was used already."),
        _("Start again from the sign-in page. If you did not use it yourself, tell the portal's administrator."),
    ),
    "no-claim": (
        _("Your organisation's provider does not say which account is yours."),
        _("Ask your organisation's IT support to send your login to this portal."),
    ),
    "unknown-person": (
        _("Your organisation has no account here with the login that its provider sent."),
        _("Ask your organisation's administrator to have an account opened for you, or its login corrected."),
    ),
    "linked-elsewhere": (
        _("Your account here belongs to another person of your organisation's provider."),
        _("Ask the portal's administrator to undo that link."),
    ),
    "other-organisation": (
        _("Your account here belongs to another organisation now."),
        _("Sign in as that organisation's people do, or ask the portal's administrator."),
    ),
    "closed": (
        _("Your account or your organisation is closed here."),
        _("Ask the portal's administrator."),
    ),
    "other-person": (
        _("You proved to be somebody else than who is signed in."),
        _("Try again and choose your own account at the provider, or sign out first."),
    ),
    "stale": (
        _("Your organisation's provider let you through without asking you anew."),
        _("Prove who you are in another way. The provider must say when it asked you; its administrators set that."),
    ),
}
"""Why nobody came in → what happened, and what to do."""

CHECKS: dict[str, str | Promise] = {
    "unreachable": _("The provider does not answer at this address as it should."),
    "not-allowed": _(
        "This address is not gone to: it must begin with https and lie outside the portal's own network. The setting "
        "inner_providers of the installation allows what lies inside."
    ),
    "issuer": _("The provider gives itself another name. Copy its issuer exactly, with or without the last slash."),
    "provider": _("The provider lacks something that is needed here."),
}
"""What is wrong with a provider that is being set up."""

WAYS: dict[str, str | Promise] = {
    "password": _("Password"),
    "passkey": _("Passkey"),
    "code": _("Code of an app"),
    "recovery code": _("Recovery code"),
    "provider": _("Organisation's provider"),
    "provider's factor": _("Second factor at the provider"),
}
"""How a session was proved, by the words of the log."""
