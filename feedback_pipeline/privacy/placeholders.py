"""How a replaced identifier stands in a text: `[EMAIL_1]`, its type and a number within the conversation."""

import re

PLACEHOLDER = r"\[([A-Z][A-Z_]*)_([0-9]{1,9})\]"
"""Type and number are its groups. Polars and `re` read it alike."""

PLACEHOLDER_PATTERN = re.compile(PLACEHOLDER)
