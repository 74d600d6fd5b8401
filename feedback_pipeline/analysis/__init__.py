"""The public verbs over any table of feedback: pandas, Polars, PyArrow, a list of dicts, or the pipeline's own.

In: a frame and settings. Out: the designs' values (`PatternAnalysis`, `ImprovementReport` …), and frames of the kind
that was given.
"""
