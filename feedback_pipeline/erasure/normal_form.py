"""The form in which a text is looked for, however it was written down.

A text may stand in a file with its line breaks escaped, its letters as `\\u3042` or `&eacute;`, in capitals, in full
width, wrapped, or between marks of Markdown. In normal form all of these are one: escapes are undone, letters are
folded in full (Unicode's NFKC and default case folding, so that STRASSE is Straße), and only letters, digits and their
marks are left. Both what is sought and what is searched are brought into it.
"""

import html
import re
from unicodedata import is_normalized, normalize
from urllib.parse import unquote

import polars as pl

_ESCAPE = re.compile(r"\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([nrtbf0]))")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENCODED = r"\\+[uxnrtbf0]|&(?:#|[A-Za-z])|%[0-9A-Fa-f]{2}"
"""What every text holds in which an escape is undone."""
_NOT_A_LETTER = r"[^\p{L}\p{N}\p{M}]+"
_IGNORABLE = r"[\x{ad}\x{34f}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{fe00}-\x{fe0f}]+"


def decoded(texts: pl.Series) -> pl.Series:
    """The texts with the escapes of JSON, HTML and URLs undone; missing ones stay missing."""
    concerned = texts.str.contains(_ENCODED).fill_null(value=False).arg_true()
    if concerned.is_empty():
        return texts
    undone = [_undone(text) for text in texts.gather(concerned)]
    return texts.clone().scatter(concerned, pl.Series(undone, dtype=pl.String))


def _undone(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "&" in text:
        text = html.unescape(text)
    if "%" in text:
        text = _PERCENT.sub(_unquoted, text)
    return text


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else "\n"


def _unquoted(found: re.Match[str]) -> str:
    try:
        return unquote(found[0], errors="strict")
    except UnicodeDecodeError:
        return found[0]


def folded(texts: pl.Series) -> pl.Series:
    """The texts without differences of case, width and composition (NFKC, full case folding, NFKC)."""
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(value=False).arg_true()
    plain = texts.str.to_lowercase()
    if foreign.is_empty():
        return plain
    same = [_folded(text) for text in texts.gather(foreign)]
    return plain.scatter(foreign, pl.Series(same, dtype=pl.String))


def _folded(text: str) -> str:
    same = (text if is_normalized("NFKC", text) else normalize("NFKC", text)).casefold()
    # folding can undo composition, and composition can make a letter that folds
    return same if is_normalized("NFKC", same) else normalize("NFKC", same).casefold()


def normal_form(texts: pl.Series) -> pl.Series:
    """The letters, digits and marks of the texts, folded, with escapes undone; missing ones stay missing."""
    bare = folded(decoded(texts)).str.replace_all(_IGNORABLE, "")
    return bare.str.replace_all(_NOT_A_LETTER, "")
