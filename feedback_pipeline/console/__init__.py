"""Pages for people: votes, audits and reports of a tenant, behind a key with the scope `read`.

In: what the capture API knows. Out: HTML made on the server, where what users wrote is text and nothing else.
"""
