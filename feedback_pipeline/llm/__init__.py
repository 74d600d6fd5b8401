"""What models are called with: endpoints, limits, retries, the cache of replies, prices.

In: messages and a model. Out: replies with what they cost, or a refusal that says what to do.
"""
