"""Text as parts of a line of JSON."""

import polars as pl

_SEPARATORS = ("\u0085", "\u2028", "\u2029")


def json_value(column: str) -> pl.Expr:
    """A column's values as JSON text; null as null."""
    return pl.struct(pl.col(column).alias("v")).struct.json_encode().str.slice(5).str.head(-1)


def escaped_separators(lines: pl.Expr) -> pl.Expr:
    """JSON whose strings hold none of the separators of lines and paragraphs as they are.

    Many readers, `str.splitlines` among them, take each of them for the end of a line.
    """
    return lines.str.replace_many(list(_SEPARATORS), [f"\\u{ord(each):04x}" for each in _SEPARATORS])
