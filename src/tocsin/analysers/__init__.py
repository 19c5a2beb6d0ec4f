"""Every analyser, one file each: the tuple is the list, a test compares it with the folder.

An analyser `x` is `x.py` (pure: `VERSION` and functions that give `contract.Finding`; what other layers do already,
such as extraction, stays there and has a card all the same), `cards/x.toml` (its card), where something is fitted
`fitted/x.json`, and `tocsin/lab/evaluations/x.py`: `evaluate(folder)` measures it on research data, `predict(folder)`
answers for inputs whose labels are kept apart, `fit(folder)` makes its parameters anew. Third parties add analysers
through the entry point group `tocsin.analysers`, which names a module of the latter kind with a `card()`.
"""

from __future__ import annotations

from typing import Final

ANALYSERS: Final[tuple[str, ...]] = ("linking", "messages", "lifetime", "actors")
