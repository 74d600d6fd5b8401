"""Intake, live: HTTP API, web component, logging middleware, Python client, analytics events.

In: votes and answers over HTTP, from the page, a server or the client here. Out: events in the store, redacted and
under pseudonyms, durable when acknowledged; and what people read: the API's metrics, `/console`, the dashboard.
"""
