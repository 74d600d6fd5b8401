"""Personal data: what is taken out of text, and what people are called instead of their ids.

Comes in: texts and user ids as strangers and applications deliver them. Goes out: texts with typed placeholders
(`redaction`), the proof that nothing got by (`canary`), and keyed pseudonyms (`pseudonyms`).
"""
