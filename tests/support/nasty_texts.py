"""Texts that make redaction stumble: pieces of identifiers run together with anything Unicode has."""

from hypothesis import strategies as st

from feedback_pipeline.privacy.rules import default_rules

EXAMPLES = [example for rule in default_rules() for example in (*rule.examples, *rule.counter_examples)]
GLUE = [
    *("", " ", "\n", "-", ".", "/", ":", "@", "+", "(", ")", "[", "]", "_", "x", "0", "\\", '"', "'"),
    *("é", "中", "🙂", "\u200b", "\u202e", "\ufdd0", "\x00", "\u00a0", "\u2011", "１", "٣"),
    *("[EMAIL_7]", "[PHONE_1", "phone ", "order #"),
]

fragments = st.one_of(
    st.sampled_from(EXAMPLES),
    st.sampled_from(EXAMPLES).flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[cut:])),
    st.sampled_from(GLUE),
    st.text(alphabet="0123456789 .-+()/@abAB:_", max_size=24),
    st.text(max_size=6),
)
nasty_texts = st.lists(fragments, max_size=8).map("".join)
