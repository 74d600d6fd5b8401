"""Judges and how far they may be trusted.

In: cleaned answers, people's verdicts and preferences, recorded verdicts, a model endpoint where one is configured.
Out: a sample of answers worth judging, one judgement per answer and criterion with its status, how well the judge
agrees with the people, quality per model and prompt version raw and corrected by those people, versions compared,
and models ranked by preference. Where the labels do not carry a number the row says so instead of giving one.
"""
