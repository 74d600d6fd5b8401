"""A first entry of `sources.yaml` for a file or table that nobody has described: `feedback source guess`.

A column becomes a field where its name speaks for it and its values allow it; what the names leave open, values decide.
In: the first rows. Out: a `Guess`, an entry whose lines say what they rest on, to be tried on those rows.
"""
