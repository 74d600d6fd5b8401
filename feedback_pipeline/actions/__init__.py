"""Actions: recommendations that people accept, do or drop, with an owner, a day and an outcome.

In: `recommendations` of a week, decisions of people, and what the next report says of them. Out: rows of `action`, with
every decision kept in `action_event`. Statements hold numbers and dimension values, never words of people.
"""
