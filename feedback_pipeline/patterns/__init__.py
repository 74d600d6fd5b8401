"""Patterns: what the votes say, with an interval and under error control.

In: `vote_facts` (narrow rows, no text) and the redacted texts of cleaned feedback.
Out: daily counts that add up (`slice_counts`, `term_counts`) and weekly findings (`slice_findings`, `term_findings`,
`failure_topics`, `approval_change`, `recommendations`), and alert values for asset checks.

Every function is pure: frames and settings in, frames and frozen values out. A number that cannot be had is absent and
carries its reason.
"""
