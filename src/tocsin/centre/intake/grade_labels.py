"""Words of the four schemes of grading, and of what a comparison between them loses."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tocsin.core.grading import Loss, Scheme

SCHEMES: dict[Scheme, str | Promise] = {
    Scheme.ADMIRALTY: _("Admiralty scale"),
    Scheme.FOUR: _("4x4"),
    Scheme.THREE: _("3x5x2"),
    Scheme.FIVE: _("5x5x5 (old)"),
}

SOURCES: dict[Scheme, dict[str, str | Promise]] = {
    Scheme.ADMIRALTY: {
        "A": _("Source completely reliable"),
        "B": _("Source usually reliable"),
        "C": _("Source fairly reliable"),
        "D": _("Source not usually reliable"),
        "E": _("Source unreliable"),
        "F": _("Reliability of the source cannot be judged"),
        "G": _("Source deceives on purpose (a word of MISP; compared as E)"),
    },
    Scheme.FOUR: {
        "A": _("No doubt about the source"),
        "B": _("Source mostly reliable"),
        "C": _("Source mostly unreliable"),
        "X": _("Source cannot be assessed"),
    },
    Scheme.THREE: {
        "1": _("Source reliable"),
        "2": _("Source untested"),
        "3": _("Source not reliable"),
    },
    Scheme.FIVE: {
        "A": _("Source always reliable"),
        "B": _("Source mostly reliable"),
        "C": _("Source sometimes reliable"),
        "D": _("Source unreliable"),
        "E": _("Source untested"),
    },
}

INFORMATION: dict[Scheme, dict[str, str | Promise]] = {
    Scheme.ADMIRALTY: {
        "1": _("Confirmed by other sources"),
        "2": _("Probably true"),
        "3": _("Possibly true"),
        "4": _("Doubtful"),
        "5": _("Improbable"),
        "6": _("Truth cannot be judged"),
    },
    Scheme.FOUR: {
        "1": _("Not in doubt"),
        "2": _("Known to the source itself, not to the officer"),
        "3": _("Not known to the source itself, but corroborated"),
        "4": _("Not known to the source itself, and cannot be corroborated"),
    },
    Scheme.THREE: {
        "A": _("Known directly to the source"),
        "B": _("Known indirectly to the source, but corroborated"),
        "C": _("Known indirectly to the source"),
        "D": _("Not known how"),
        "E": _("Thought to be false"),
    },
    Scheme.FIVE: {
        "1": _("Known to be true without reservation"),
        "2": _("Known to the source itself, not to the officer"),
        "3": _("Not known to the source itself, but corroborated"),
        "4": _("Truth cannot be judged"),
        "5": _("Thought to be false"),
    },
}

HANDLING: dict[Scheme, dict[str, str | Promise]] = {
    Scheme.THREE: {
        "P": _("Lawful sharing permitted"),
        "C": _("Sharing permitted with conditions"),
    },
    Scheme.FIVE: {digit: _("Old handling code: read the source's conditions") for digit in "12345"},
}

NOT_GIVEN = _("not given")

LOSSES: dict[Loss, str | Promise] = {
    Loss.SOURCE_COARSER: _("Several degrees of the source become one."),
    Loss.INFORMATION_COARSER: _("Several degrees of the information become one."),
    Loss.FINER: _("The other scheme has finer degrees: which of them is meant, nobody said."),
    Loss.OTHER_QUESTION: _("One scheme asks how credible it is, the other how the source knows it."),
    Loss.SUSPICION: _("That it is thought to be false is lost."),
    Loss.DECEPTIVE: _("That the source deceives on purpose is lost."),
    Loss.HANDLING: _("The handling part stays behind: it is a condition, no evaluation."),
    Loss.NOT_SAID: _("What was not given is taken as: cannot be judged."),
    Loss.SOURCE_DROPPED: _("A number says nothing of the source."),
    Loss.NO_NUMBER: _("What cannot be judged has no number."),
}
