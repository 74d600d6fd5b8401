"""Disguises undone before the search: characters that look like, or vanish beside, the ones an identifier is made of.

Only text in which something is then found is changed by it; other text is left byte for byte as it was.
"""

import re

import polars as pl

from feedback_pipeline.privacy.rules import MARK, NEXT_RULE

_INVISIBLE = (
    r"\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{200b}-\x{200f}\x{202a}-\x{202e}"
    r"\x{2060}-\x{206f}\x{20e3}\x{fe00}-\x{fe0f}\x{feff}\x{fff9}-\x{fffb}\x{e0000}-\x{e0fff}"
)
"""Zero-width, bidirectional, joining, tagging and variation characters (Unicode: Default_Ignorable_Code_Point)."""

_DASHES = r"\x{2010}-\x{2015}\x{2212}\x{fe58}\x{fe63}\x{ff0d}"
_SPACES = r"\x{a0}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}"

_ZEROS = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０𝟎𝟘𝟢𝟬𝟶"
"""The zero of each decimal numbering system; its nine follow it."""

_FULL_WIDTH = "＠．－＋＿／（）＃％＆＝" + "".join(
    chr(start + index) for start in (0xFF21, 0xFF41) for index in range(26)
)
_TO_ASCII = (
    {chr(ord(zero) + value): str(value) for zero in _ZEROS for value in range(10)}
    | {character: chr(ord(character) - 0xFEE0) for character in _FULL_WIDTH}
    | {"﹫": "@", "｡": ".", MARK: "\ufffd", NEXT_RULE: "\ufffd"}
)

_ENCODED = {
    **dict.fromkeys(("%40", "&commat;"), "@"),
    **dict.fromkeys(("%2E", "%2e", "&period;"), "."),
    **dict.fromkeys(("%2B", "%2b", "&plus;"), "+"),
    **dict.fromkeys(("&nbsp;", "%20"), " "),
    **dict.fromkeys((r"\/",), "/"),
}
"""How links, pages and scripts write the characters that hold identifiers together."""
_NUMBERED = r"&#(?:[0-9]{2,3}|[xX][0-9A-Fa-f]{2});|\\u00[2-7][0-9A-Fa-f]"
"""A printable ASCII character by its number, as HTML and JSON write it."""
_NUMBER = re.compile(r"&#(?:([0-9]{2,3})|[xX]([0-9A-Fa-f]{2}));|\\u00([2-7][0-9A-Fa-f])")

_FOREIGN_DIGITS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in _ZEROS)
_HIDDEN = rf"([\x20-\x7e{_FOREIGN_DIGITS}])[{_INVISIBLE}]+"
_DASHED = rf"([0-9)])[{_DASHES}]"
_SPACED = rf"([0-9)+])[{_SPACES}]"

DISGUISED = (
    rf"{MARK}|{NEXT_RULE}|{_NUMBERED}|%40|&(?:commat|period|plus|nbsp);|%2[0BEbe]|\\/|"
    rf"[＠﹫Ａ-Ｚａ-ｚ{_FOREIGN_DIGITS}]|[\x20-\x7e][{_INVISIBLE}]|[0-9)+][{_DASHES}{_SPACES}]"
)
"""A pattern found in every text that `fold` changes."""


def fold(texts: pl.Series) -> pl.Series:
    """The texts with encoded characters written out, and digits of any script and full-width letters in ASCII.

    Invisible characters within words are left out. Dashes and spaces of any width between digits become the plain
    ones. The noncharacters U+FDD0 and U+FDD1, which the search needs for itself, become U+FFFD.
    """
    numbered = texts.str.contains(_NUMBERED).arg_true()
    if not numbered.is_empty():
        undone = [_NUMBER.sub(_character, text) for text in texts.gather(numbered)]
        texts = texts.clone().scatter(numbered, pl.Series(undone, dtype=pl.String))
    texts = texts.str.replace_many(list(_ENCODED), list(_ENCODED.values()))
    ascii_form = texts.str.replace_many(list(_TO_ASCII), list(_TO_ASCII.values()))
    return (
        ascii_form.str.replace_all(_HIDDEN, "${1}").str.replace_all(_DASHED, "${1}-").str.replace_all(_SPACED, "${1} ")
    )


def _character(found: re.Match[str]) -> str:
    code = int(found[1]) if found[1] else int(found[2] or found[3], 16)
    return chr(code) if 0x20 <= code < 0x7F else found[0]
