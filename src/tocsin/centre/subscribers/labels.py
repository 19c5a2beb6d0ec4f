"""Words of subscribers and of what is read, as people read them."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

KINDS: dict[str, str | Promise] = {
    "mail": _("Mail"),
    "webhook": _("Servers (webhooks)"),
    "push": _("Browsers (web push)"),
}
OUTPUTS: dict[str, str | Promise] = {
    "page": _("Page"),
    "home": _("First page"),
    "cap": _("CAP message"),
    "stix": _("STIX bundle"),
    "linked-data": _("Linked data"),
    "pdf": _("PDF document"),
    "card": _("Card for social networks"),
    "text": _("Plain text"),
    "kit": _("Campaign kit"),
    "feed": _("Feed"),
    "widget": _("Widget"),
}
