"""Names of people and places in the few texts that are shown: an extra, with a language model the user supplies.

Patterns recognise neither. A model for named entities (spaCy's, through Presidio) finds about two names in three, fewer
in lower-case text, and takes other words for names: so it is run on what reports quote, and not at intake, where what
it takes away would be lost and what it misses would be thought gone. It comes with the extra `names`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import polars as pl

from feedback_pipeline.extras import install_command

PLACEHOLDERS = {"PERSON": "PERSON", "LOCATION": "PLACE"}
"""What entities of Presidio are replaced by."""

Entity = tuple[int, int, str]
"""First character, the one after the last, and the type of an entity found in a text."""


class NamesError(RuntimeError):
    """Names cannot be looked for; the message says what is missing."""


@dataclass(frozen=True)
class Names:
    """Replaces the names that a model finds.

    Attributes:
        find: the entities in a text, as PLACEHOLDERS calls them; they may overlap.
    """

    find: Callable[[str], Iterable[Entity]]

    def redact(self, texts: pl.Series) -> pl.Series:
        """The texts with `[PERSON_1]` or `[PLACE_1]` in the place of names, numbered within each text; missing ones
        stay missing."""
        return pl.Series(texts.name, [None if text is None else self._redacted(text) for text in texts], pl.String)

    def _redacted(self, text: str) -> str:
        written, position = [], 0
        numbers: dict[str, dict[str, int]] = {}
        for start, end, kind in sorted(self.find(text), key=lambda entity: (entity[0], -entity[1])):
            placeholder = PLACEHOLDERS.get(kind)
            # what overlaps an earlier name, or stands in a placeholder of the patterns, is no name
            if placeholder is None or start < position or "[" in text[start:end] or "]" in text[start:end]:
                continue
            known = numbers.setdefault(placeholder, {})
            number = known.setdefault(text[start:end].casefold(), len(known) + 1)
            written += [text[position:start], f"[{placeholder}_{number}]"]
            position = end
        return "".join([*written, text[position:]])


def open_names(model: str) -> Names:
    """The names that a spaCy model finds.

    Args:
        model: `language:model`, such as `en:en_core_web_sm`, the model being an installed package or a folder.

    Raises:
        NamesError: the extra is not installed, or there is no such model. Nothing is downloaded.
    """
    language, colon, name = model.partition(":")
    if not (language and colon and name):
        raise NamesError(f"FEEDBACK_NAMES_MODEL is {model!r}, expected language:model such as en:en_core_web_sm")
    if find_spec("presidio_analyzer") is None or find_spec("spacy") is None:
        raise NamesError(f"FEEDBACK_NAMES_MODEL needs the extra names: {install_command('names')}")
    analyse = _analyser(language, name)

    def find(text: str) -> Iterable[Entity]:
        for found in analyse(text=text, language=language, entities=list(PLACEHOLDERS)):
            yield found.start, found.end, found.entity_type

    return Names(find)


def _analyser(language: str, model: str) -> Callable[..., Any]:
    """Presidio's analysis with the model's own entities and no look-up on the network."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    try:
        loaded = spacy.load(model)
    except OSError as error:
        raise NamesError(f"there is no spaCy model {model!r}: install its package or name its folder") from error

    class Loaded(SpacyNlpEngine):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": language, "model_name": model}])
            self.nlp = {language: loaded}

    registry = RecognizerRegistry(supported_languages=[language])
    registry.add_recognizer(SpacyRecognizer(supported_language=language))
    engine = AnalyzerEngine(registry=registry, nlp_engine=Loaded(), supported_languages=[language])
    analyse: Callable[..., Any] = engine.analyze
    return analyse
