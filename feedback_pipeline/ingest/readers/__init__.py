"""One reader a format: delivered rows as frames of text, with row numbers, in chunks of bounded size.

A reader refuses what it cannot take apart (a row cut in the middle, bytes that are no text) and goes on with the next
row. It knows nothing of what columns mean.
"""
