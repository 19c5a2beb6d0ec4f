"""Compiles the catalogues of texts; see script/compile-messages."""

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).resolve().parents[1] / "src/tocsin/site/locale"


def main() -> int:
    """Compile all; a fuzzy or missing text is named and left in English."""
    missing = 0
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.parts[-3])
        wanting = [each.id for each in catalogue if each.id and (each.fuzzy or not all(_strings(each.string)))]
        missing += len(wanting)
        print(f"{path.parts[-3]}: {len(catalogue)} texts, {len(wanting)} wanting")
        for text in wanting[:200] if "-v" in sys.argv else []:
            print(f"    {text!r}")
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)
    return 1 if missing and "--strict" in sys.argv else 0


def _strings(text: object) -> tuple[str, ...]:
    return text if isinstance(text, tuple) else (str(text),)


if __name__ == "__main__":
    sys.exit(main())
