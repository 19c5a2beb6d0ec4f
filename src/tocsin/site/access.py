"""Who may open a page; see `centre.members.access`, where topics find it too."""

from tocsin.centre.members.access import person_of, requires

__all__ = ["person_of", "requires"]
