"""The leak scanner: ten thousand protected values against two hundred pages of text.

    python bench/leaks.py [--values 10000] [--pages 200] [--rounds 5]

The values are addresses of both versions, domains, mail addresses, digests, telephone numbers and names in equal parts;
one page in four is Arabic, and one in ten holds a value in disguise. The same texts are searched by a plain loop of
`in`, which finds what is written just so and nothing else, in the same run. Time is that of the processor. Prints one
JSON line.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import random
import time
from collections.abc import Callable, Sequence

from tocsin.handling.leaks import Place, Protected, Scanner, Secret, Text

WORDS = (
    "the group sent letters to offices and asked for money in return for a key that opens files again while its "
    "servers moved between hosts every few days and reports name a tool of 2024 with 14 versions (see annex 3) too"
)
ARABIC = (
    "المجموعة ارسلت رسائل الى المكاتب وطلبت المال مقابل مفتاح يفتح الملفات مرة اخرى بينما خوادمها تنتقل كل بضعة ايام"
)
DISGUISES: tuple[Callable[[str], str], ...] = (
    lambda value: value, lambda value: value.replace(".", "[.]"), lambda value: value.replace(".", "\u200b."),
    lambda value: value.translate({0x30 + digit: 0x660 + digit for digit in range(10)}),
    lambda value: value.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
)  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--values", type=int, default=10_000)
    asked.add_argument("--pages", type=int, default=200)
    asked.add_argument("--rounds", type=int, default=5)
    told = asked.parse_args()
    chance = random.Random(3)
    values = [made(number, chance) for number in range(told.values)]
    pages, hidden = written(values, told.pages, chance)
    size = sum(len(page.encode()) for page in pages)
    began = time.process_time()
    scanner = Scanner(Protected(value, Secret.VICTIM) for value in values)
    build = time.process_time() - began
    texts = [Text(Place("body", page=number), page) for number, page in enumerate(pages, 1)]
    scan, found = timed(told.rounds, lambda: {(each.place.page, each.number) for each in scanner.find(texts)})
    loop, plain = timed(
        1, lambda: {(at, n) for at, page in enumerate(pages, 1) for n, v in enumerate(values) if v in page}
    )
    print(json.dumps({
        "values": len(values), "pages": len(pages), "megabytes": round(size / 1e6, 2), "hidden": len(hidden),
        "build_seconds": round(build, 2), "scan_seconds": round(scan, 3),
        "scan_mb_per_second": round(size / 1e6 / scan, 2),
        "found": len(hidden & found), "others": len(found - hidden),
        "loop_seconds": round(loop, 3), "loop_mb_per_second": round(size / 1e6 / loop, 2),
        "loop_found": len(hidden & plain),
        "times_the_loop": round(loop / scan, 1),
    }))  # fmt: skip


def made(number: int, chance: random.Random) -> str:
    word = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=9))
    match number % 7:
        case 0:
            return str(ipaddress.IPv4Address(chance.randrange(1 << 28, 0xDFFFFFFF)))
        case 1:
            return f"{word}.example"
        case 2:
            return f"{word}@{word[::-1]}.example"
        case 3:
            return f"{chance.getrandbits(256):064x}"
        case 4:
            return f"+4420{chance.randrange(70_000_000, 79_999_999)}"
        case 5:
            return str(ipaddress.IPv6Address((0x20010DB8 << 96) + chance.getrandbits(64)))
        case _:
            return f"{word.title()} {word[::-1].title()}"


def written(values: Sequence[str], pages: int, chance: random.Random) -> tuple[list[str], set[tuple[int, int]]]:
    """The pages, and which value stands on which."""
    made_pages, hidden = [], set()
    for page in range(1, pages + 1):
        words = chance.choices((ARABIC if page % 4 == 0 else WORDS).split(), k=500)
        if page % 10 == 0:
            number = chance.randrange(len(values))
            words.insert(chance.randrange(500), chance.choice(DISGUISES)(values[number]))
            hidden.add((page, number))
        made_pages.append("\n".join(" ".join(words[at : at + 14]) for at in range(0, len(words), 14)))
    return made_pages, hidden


def timed(rounds: int, act: Callable[[], set[tuple[int, int]]]) -> tuple[float, set[tuple[int, int]]]:
    """The least processor time of some rounds, and what came of it."""
    least, outcome = float("inf"), set[tuple[int, int]]()
    for _ in range(rounds):
        began = time.process_time()
        outcome = act()
        least = min(least, time.process_time() - began)
    return least, outcome


if __name__ == "__main__":
    main()
