-- People who refused collection: nothing of theirs is kept, not in a reject file either.
SELECT tenant, user_key FROM consent WHERE NOT collect
