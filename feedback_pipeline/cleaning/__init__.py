"""Cleaning: from a day of raw rows to rows that may be trusted.

In: days of the store as they are (`store.bulk.read_day`). Out: the tables of `tables.py`: answers, current events with
one verdict each, refused rows with their reasons, narrow facts for statistics, signatures of texts; by the week groups
of prompts, trust in voters, and answers people contradict each other about. Nothing is dropped without being counted.
"""
