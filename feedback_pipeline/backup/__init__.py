"""Backups: both databases, the files, and apart from them the keys; and how they come back.

In: a home with its databases. Out: a folder that `restore` makes a home of again, on this machine or another. What was
forgotten after a backup was made is forgotten again when it is restored.
"""
