"""Requests of people about data on them: the independent commission, apart from everybody else (R16, W29)."""
