"""Forgetting a person, an answer or a tenant everywhere, and what has had its time: above everything it must reach.

In: who asks to be forgotten, or the policies of retention. Out: stores and files without them, days and weeks computed
anew, a signed receipt, and a verification that has read what is left.
"""
