"""The Dagster assets, one module a stage, in the order the data flows.

An asset here reads, calls the library and returns what came of it; everything else about it (partitions, checks,
metadata, events) follows from its declaration (`declaration.py`).
"""
