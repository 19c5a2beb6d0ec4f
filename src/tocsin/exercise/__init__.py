"""The demonstration: a generated, deterministic exercise, as files in the partners' own formats."""

from .generate import generate
from .plan import Delivery, Expected, Organisation, OrganisationClass, Outcome, Person, Plan, read_plan

__all__ = [
    "Delivery",
    "Expected",
    "Organisation",
    "OrganisationClass",
    "Outcome",
    "Person",
    "Plan",
    "generate",
    "read_plan",
]
