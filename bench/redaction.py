"""Redaction: texts a second, and recall and precision by type, beside Presidio (patterns only) and DataFog.

The labelled texts are generated (thirteen languages, invented identities, look-alikes) by the people who wrote the
rules, so they flatter ours; the peers' rules were made for English. A value counts as found when it is no longer in the
text as it was.
"""

import importlib.util
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, cast

import polars as pl

from bench.rows import Row, Size, less_is_better, more_is_better
from feedback_pipeline.privacy.canary import labelled_texts, leaks
from feedback_pipeline.privacy.invented import MAKERS, SENTENCES
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact, redact_json, redact_text

Redactor = Callable[[list[str]], list[str]]

PER_KIND = 130
"""Texts for each type and each kind of look-alike: ten in each language."""

_PRESIDIO_TYPES = [
    *("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "MAC_ADDRESS", "URL", "CRYPTO"),
    *("US_SSN", "US_ITIN", "US_PASSPORT", "US_DRIVER_LICENSE", "US_BANK_NUMBER", "UK_NHS", "MEDICAL_LICENSE"),
]
_DATAFOG_TYPES = ["EMAIL", "PHONE", "SSN", "CREDIT_CARD", "IP_ADDRESS", "DE_IBAN", "DE_TAX_ID", "DE_VAT_ID"]
"""Both without dates, postcodes, people and places, which are not what is compared."""


def rows(size: Size) -> list[Row]:
    """The rows of the performance table: work, our figure, the peers', their ratio, and a note."""
    texts, people, per_kind = (500, 1_000, 3) if size == "small" else (100_000, 1_000_000, PER_KIND)
    peers = _peers()
    speed = [_speed(texts, share, times, peers) for share, times in ((0.05, 2), (1.0, 1), (1.0, 2))]
    return [*speed, _one(), *_accuracy(peers, per_kind), _leaks(texts), _json(texts // 5), _pseudonyms(people)]


def comments(count: int, share: float, seed: int = 7, times: int = 2) -> list[str]:
    """What people write about answers, about 45 characters a sentence; `share` of them with an invented identifier in
    each of `times` sentences."""
    random = Random(seed)
    sentences = [sentence for language in SENTENCES.values() for sentence in language]
    makers = list(MAKERS.values())
    written = []
    for _ in range(count):
        text = " ".join(random.choice(sentences) for _ in range(times))
        value = (
            random.choice(makers)(random) if random.random() < share else random.choice(("2026", "v2.1", "this", "it"))
        )
        written.append(text.replace("{value}", value))
    return written


def _speed(texts: int, share: float, times: int, peers: dict[str, Redactor | None]) -> Row:
    written = comments(texts, share, times=times)
    column, sample = pl.Series(written), written[:1_000]
    ours = texts / _seconds(lambda: redact(column))
    rates = {name: len(sample) / _seconds(partial(peer, sample), 1) for name, peer in peers.items() if peer}
    return {
        "work": f"redact a column, {share:.0%} of texts with {times} identifier{'s' if times > 1 else ''}",
        "ours": f"{ours:,.0f} texts/s",
        "peer": _named(peers, {name: f"{rate:,.0f}/s" for name, rate in rates.items()}),
        "ratio": ", ".join(more_is_better(ours, rate) for rate in rates.values()),
        "note": f"target 50,000/s on one core (by processor time); mean {_mean(written):.0f} characters",
    }


def _one() -> Row:
    dirty = next(text for text in comments(1_000, 1.0) if "@example" in text)
    clean, found = (_seconds(partial(redact_text, text), 100) * 1e3 for text in ("nothing to see here", dirty))
    return {
        "work": "redact one text at intake",
        "ours": f"{clean:.2f} ms clean, {found:.1f} ms with an address",
        "peer": "1 ms, 10 ms (limit)",
        "ratio": less_is_better(max(clean, found / 10), 1),
    }


def _accuracy(peers: dict[str, Redactor | None], per_kind: int) -> list[Row]:
    labelled = labelled_texts(per_kind, seed=99)
    redactors: dict[str, Redactor] = {"ours": lambda texts: redact(pl.Series(texts)).texts.to_list()}
    redactors |= {name: peer for name, peer in peers.items() if peer}
    results = labelled.with_columns(
        pl.Series(name, work(labelled["text"].to_list())) for name, work in redactors.items()
    )
    found = [_recall(results.filter(pl.col("kind") == kind), kind, peers) for kind in MAKERS]
    innocent = results.filter(~pl.col("planted"))
    masked = {name: cast(float, (innocent[name] != innocent["text"]).mean() or 0.0) for name in redactors}
    precision = {name: _precision(results, name) for name in redactors}
    return [
        *found,
        {
            "work": "look-alikes masked",
            "ours": f"{masked['ours']:.3f}",
            "peer": _named(peers, {name: f"{share:.2f}" for name, share in masked.items()}),
            "note": f"target ≤ 0.067; {innocent['kind'].n_unique()} kinds, {innocent.height} texts (links included)",
        },
        {
            "work": "precision over all types and look-alikes",
            "ours": f"{precision['ours']:.3f}",
            "peer": _named(peers, {name: f"{share:.2f}" for name, share in precision.items()}),
            "note": "of the texts changed, those that held an identifier",
        },
    ]


def _recall(planted: pl.DataFrame, kind: str, peers: dict[str, Redactor | None]) -> Row:
    gone = {name: _gone(planted, name) for name in ("ours", *(name for name, peer in peers.items() if peer))}
    return {
        "work": f"recall {kind}",
        "ours": f"{gone['ours']:.3f}",
        "peer": _named(peers, {name: f"{share:.2f}" for name, share in gone.items()}),
        "note": f"target 0.99; {planted.height} texts, typed right {_typed(planted, kind):.3f}",
    }


def _gone(planted: pl.DataFrame, name: str) -> float:
    return float(planted.select((~pl.col(name).str.contains(pl.col("value"), literal=True)).mean()).item())


def _typed(planted: pl.DataFrame, kind: str) -> float:
    return cast(float, planted["ours"].str.contains(f"[{kind}_", literal=True).mean() or 0.0)


def _precision(results: pl.DataFrame, name: str) -> float:
    changed = results.filter(pl.col(name) != pl.col("text"))
    return cast(float, changed["planted"].mean() or 0.0)


def _leaks(texts: int) -> Row:
    redacted = redact(pl.Series(comments(texts, 0.05))).texts
    rate = texts / _seconds(lambda: leaks(redacted))
    alone = texts / _seconds(lambda: redacted.str.contains("[^ -~]"))
    return {
        "work": "canary check on redacted texts",
        "ours": f"{rate:,.0f} texts/s",
        "peer": f"one trivial search of the column: {alone:,.0f}/s",
        "ratio": more_is_better(rate, alone),
        "note": f"finds {leaks(redacted) or 'nothing'}",
    }


def _json(texts: int) -> Row:
    written = comments(texts * 2, 0.05)
    turns = zip(written[::2], written[1::2], strict=True)
    messages = [
        json.dumps([{"role": "user", "content": f"{a}\n"}, {"role": "assistant", "content": b}]) for a, b in turns
    ]
    column = pl.Series(messages)
    rate = texts / _seconds(lambda: redact_json(column))
    parsed = texts / _seconds(lambda: [json.dumps(json.loads(message)) for message in messages])
    return {
        "work": "redact JSON messages",
        "ours": f"{rate:,.0f} rows/s",
        "peer": f"json reads and writes them: {parsed:,.0f}/s",
        "ratio": more_is_better(rate, parsed),
        "note": f"mean {_mean(messages):.0f} characters, all non-ASCII escaped, 1 in 10 with an identifier",
    }


def _pseudonyms(rows: int) -> Row:
    keys = Pseudonymiser("k1", {"k1": bytes(32)})
    tenants = pl.Series(["acme"]).new_from_index(0, rows)
    numbers = pl.int_range(rows, eager=True)
    rates = []
    for people in (rows, rows // 20):
        users = (numbers % people).cast(pl.String) + "@example.com"
        rates.append(rows / _seconds(partial(keys.pseudonyms, tenants, users), 1))
    return {
        "work": f"pseudonyms of {rows:,} rows",
        "ours": f"{rates[0]:,.0f}/s all different, {rates[1]:,.0f}/s twenty rows a person",
        "peer": "300,000/s (asked)",
        "ratio": more_is_better(rates[0], 300_000),
        "note": "HMAC-SHA256",
    }


def _peers() -> dict[str, Redactor | None]:
    """The peers by name; None where one is not installed."""
    makers = {"presidio": ("presidio_analyzer", _presidio), "datafog": ("datafog", _datafog)}
    return {name: make() if importlib.util.find_spec(module) else None for name, (module, make) in makers.items()}


def _presidio() -> Redactor:
    """Presidio's pattern recognisers behind a blank language model, with no look-up on the network."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class BlankEngine(SpacyNlpEngine):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

    analyser = AnalyzerEngine(nlp_engine=BlankEngine(), supported_languages=["en"])

    def redacted(text: str) -> str:
        for found in sorted(
            analyser.analyze(text, language="en", entities=_PRESIDIO_TYPES), key=lambda each: -each.start
        ):
            text = f"{text[: found.start]}[{found.entity_type}]{text[found.end :]}"
        return text

    return lambda texts: [redacted(text) for text in texts]


def _datafog() -> Redactor:
    from datafog.compat import v4

    def redacted(text: str) -> str:
        return str(v4.redact(text, engine="regex", entity_types=_DATAFOG_TYPES, locales=["de"]).redacted_text)

    return lambda texts: [redacted(text) for text in texts]


def _named(peers: dict[str, Redactor | None], figures: dict[str, str]) -> str:
    return ", ".join(
        f"{name} {figures[name] if peer else 'not installed (extra bench)'}" for name, peer in peers.items()
    )


def _mean(texts: list[str]) -> float:
    return sum(map(len, texts)) / len(texts)


def _seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """The least processor time of several runs: what one core would take, however busy the machine is."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best
