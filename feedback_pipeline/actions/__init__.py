"""What to do about the findings: recommendations, suggestions by a model or by rule, and what people decided.

In: the week's findings as frames, decisions of people, and what the next report says of them. Out: `recommendations`,
`Suggestions` that say who wrote them and why, rows of `action` with every decision kept in `action_event`. Statements
hold numbers and dimension values, never words of people.
"""
