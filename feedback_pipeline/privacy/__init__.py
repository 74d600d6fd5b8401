"""Personal data: what is taken out of text, what people are called instead of their ids, and how they leave.

Comes in: texts and user ids as strangers and applications deliver them; people's consents. Goes out: texts with typed
placeholders (`redaction`), proof that nothing got by (`canary`), keyed pseudonyms (`pseudonyms`), consent that binds
from the moment it is written (`consent`), data that has had its time (`retention`), and erasures with a search
afterwards and a signed receipt (`erasure`, `subjects`, `traces`, `verification`, `search`, `receipts`).
"""
