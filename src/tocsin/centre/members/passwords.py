"""Words that are no passwords, however long: the most used ones with something put to them, and those that leaked."""

from __future__ import annotations

import logging
import re

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tocsin.credentials import leaked

log = logging.getLogger(__name__)
UNIT_MOST = 4
"""So short a part, said again and again, is no password even if nobody uses it."""
_PLAIN = str.maketrans("@4301$57!", "aaeoissti")
_AROUND = re.compile(r"^[\d\W_]+|[\d\W_]+$")


class Lengthened(CommonPasswordValidator):
    """Refuses what was made of one of the 20,000 most used passwords to reach the length that we ask for.

    Two of them side by side, one of them with digits and signs around, or a part that is said again and again. Few of
    the most used have twelve signs; what people put to the others is what guesses begin with.
    """

    def validate(self, password: str, user: object = None) -> None:
        """Raises ValidationError, in the words in which the most used themselves are refused."""
        if self.is_lengthened(password.strip().casefold()):
            raise ValidationError(self.get_error_message(), code="password_too_common")

    def is_lengthened(self, password: str) -> bool:
        """Whether nothing is left of it but what many use; what is written with signs for letters is read as those."""
        bare = _AROUND.sub("", password)
        readings = {password, bare, password.translate(_PLAIN), bare.translate(_PLAIN)}
        return any(reading in self.passwords or self._is_made_of(reading) for reading in readings if reading)

    def _is_made_of(self, reading: str) -> bool:
        unit = _unit_of(reading)
        if len(unit) < len(reading) and (len(unit) <= UNIT_MOST or unit in self.passwords):
            return True
        cuts = range(3, len(reading) - 2)
        return any(reading[:cut] in self.passwords and reading[cut:] in self.passwords for cut in cuts)


def _unit_of(text: str) -> str:
    """The shortest part that, said again and again, makes the text; the text itself where it repeats nothing."""
    return text[: (text + text).index(text, 1)]


class Leaked:
    """Refuses what is in the installation's list of passwords that leaked, where it names one."""

    def validate(self, password: str, user: object = None) -> None:
        """Raises ValidationError; also where the list cannot be read: unchecked is not good."""
        path = settings.INSTALLATION.leaked_list
        if path is None:
            return
        try:
            is_leaked = leaked.is_in(path, password)
        except OSError as error:
            log.critical("The list of leaked passwords cannot be read: %s", error.strerror)
            raise ValidationError(_("The password cannot be checked now. Tell your administrator.")) from error
        if is_leaked:
            raise ValidationError(
                _("This password is in a list of passwords that leaked. Choose another one."), code="password_leaked"
            )

    def get_help_text(self) -> str:
        """Nothing that helps to choose one."""
        return ""
