"""Who may open a page; see `centre.members.access`, where topics find it too."""

from tocsin.centre.members.access import costs, fresh_proof, person_of, requires

__all__ = ["costs", "fresh_proof", "person_of", "requires"]
