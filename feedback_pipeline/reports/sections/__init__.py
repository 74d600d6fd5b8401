"""The sections of a report, each made from the frames it rests on: a value, or why it cannot be said."""
