"""Suggestions: what to do about the findings, by a model where one is configured, else by rule.

In: the week's findings and recommendations, as frames. Out: `Suggestions`, which say who wrote them and why. A model
sees numbers and dimension values only, and what it says is held against them.
"""
