"""Who may see what: the one place that knows the rules (DOMAIN sections 2.4, 3.3 and 4.4). Pure.

A handling set is six different fields, none derivable from another. `may_see` answers for one viewer and one
set; selectors in the centre compile it to small sets of batch numbers that every question joins first.
"""

from .deriving import Decision, Derived, Grant, Parent, derive
from .gate import Facts, Reason, Viewer, explain, may_see, may_see_victims, purposes_allow
from .sets import TOLD_TOGETHER, HandlingSet, default_set, narrowest, require_said, tlp_of
from .widening import wider_fields

__all__ = [
    "TOLD_TOGETHER",
    "Decision",
    "Derived",
    "Facts",
    "Grant",
    "HandlingSet",
    "Parent",
    "Reason",
    "Viewer",
    "default_set",
    "derive",
    "explain",
    "may_see",
    "may_see_victims",
    "narrowest",
    "purposes_allow",
    "require_said",
    "tlp_of",
    "wider_fields",
]
