"""Shapes of code that are dangerous where a value of others gets into them, found in the source itself."""

from __future__ import annotations

import ast
import re

from tests.tidy.tree import ROOT, modules

FUNCTIONS_OF_RE = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
OURS = "src/tocsin/"
PATTERNS_OF_OWN_DATA = {
    "centre/intake/graded.py": "a table of the same module",
    "formats/_sniffing.py": "a table of the same module",
    "formats/_tables.py": "signs that mark a remark, each escaped in the line before",
    "formats/rules.py": "a constant of the same module, in bytes",
    "reference/glossary.py": "the glossary, which is shipped, each word escaped",
    "reference/warnings.py": "the warning lists, which are shipped",
}
"""Modules that make a pattern of something that is no constant on the spot, with what it is."""
FORMATS_OF_OWN_DATA = {
    "exercise/sinkhole.py": "polars' own pl.format, columns of the demonstration",
    "reference/addresses.py": "polars' own pl.format, columns of numbers",
    "formats/_stix2_tables.py": "tables in the same file",
    "products/alerts/words.py": "texts of products/alerts/texts*.toml",
    "products/words.py": "texts of products/texts.toml",
    "centre/redaction/services.py": "a translated text of ours, whose value is a number",
    "centre/intake/register.py": "SQL of the same module",
    "site/moving/reading.py": "psycopg's own sql.SQL, names of the models",
}
"""Modules that call `.format` of something that is no constant on the spot, with what it is."""
SCRIPTS = sorted((ROOT / "src" / "tocsin" / "site" / "static" / "site").glob("*.js"))
POLLUTES = re.compile(
    r"__proto__|\.prototype\b|constructor\s*\[|Object\.(?:assign|defineProperty|setPrototypeOf|fromEntries)"
    r"|\b(?:merge|extend|deepCopy|defaultsDeep)\s*\(|\beval\s*\(|new Function\b"
)
ASSIGNS_BY_NAME = re.compile(r"[\w\]]\[(?!\d+\]|\"|'|`)[^\]]+\]\s*=(?!=)")


def _calls(tree: ast.Module) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _is_of_our_own(node: ast.expr) -> bool:
    """A constant, a constant of the module (in capitals), something escaped, or made of these alone."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_").isupper()
        case ast.Call(func=ast.Attribute(attr="escape" | "join") | ast.Name(id="escape")):
            return True
        case ast.JoinedStr(values=parts):
            return all(_is_of_our_own(part) for part in parts)
        case ast.FormattedValue(value=value):
            return _is_of_our_own(value)
        case ast.BinOp(left=left, right=right):
            return _is_of_our_own(left) and _is_of_our_own(right)
    return False


def test_no_pattern_is_made_of_input() -> None:
    """1.2.9: patterns are constants of ours, or made of what is escaped; the few others are known with their origin."""
    found = {
        name.removeprefix(OURS)
        for name, _text, tree in modules()
        for call in _calls(tree)
        if name.startswith(OURS)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr in FUNCTIONS_OF_RE) == ("re", True)
        and call.args
        and not _is_of_our_own(call.args[0])
    }
    assert found == set(PATTERNS_OF_OWN_DATA)


def test_no_format_string_is_taken_from_input() -> None:
    """1.3.10: what is formatted is a text of ours, in the source or in a table that is shipped."""
    found = {
        name.removeprefix(OURS)
        for name, _text, tree in modules()
        for call in _calls(tree)
        if name.startswith(OURS)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"format", "format_map"}
        and not isinstance(call.func.value, ast.Constant)
    }
    assert found == set(FORMATS_OF_OWN_DATA)


def test_no_script_can_change_what_all_objects_are_made_of() -> None:
    """15.3.6: nothing merges objects, and no field gets its name from what came over the wire."""
    assert SCRIPTS
    found = {
        f"{path.name}: {hit[0]}"
        for path in SCRIPTS
        for pattern in (POLLUTES, ASSIGNS_BY_NAME)
        for hit in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == set()
