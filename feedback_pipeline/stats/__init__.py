"""Formulas as values: intervals, exact tests, rankings, confidence sequences.

In: counts and arrays. Out: numbers with their intervals. Nothing here knows where its data come from.
"""
