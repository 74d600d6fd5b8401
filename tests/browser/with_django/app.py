"""A Django application with the view and the template of docs/capture.md; run by its own interpreter."""

import json
import sys
from types import SimpleNamespace
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.shortcuts import render
from django.urls import path
from feedback_client import FeedbackClient

given = json.loads(sys.argv[1])
text = 'An answer with "quotes", <b>marks</b> & an ampersand.'
script = f'<script src="{given["url"]}/static/llm-feedback.js" defer></script>'
template = f"<!doctype html><title>App</title>{script}{given['template']}"
loaders = [("django.template.loaders.locmem.Loader", {"answer.html": template})]
settings.configure(
    DEBUG=False, SECRET_KEY="of a test", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, INSTALLED_APPS=[],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware"],
)  # fmt: skip
django.setup()

known = {
    "feedback": FeedbackClient(given["url"], given["key"]),
    "get_object_or_404": lambda model, pk: SimpleNamespace(pk=pk, text=text),  # what its database holds
    "Answer": None,
    "render": render,
}
exec(given["view"], known)


def page(request, pk):
    request.user = SimpleNamespace(pk="ada")  # who its own login let in
    return known["answer"](request, pk)


class Silent(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing is written."""


urlpatterns = [path("answers/<int:pk>", page)]
server = make_server("127.0.0.1", given["port"], get_wsgi_application(), handler_class=Silent)
print("ready", flush=True)
server.serve_forever()
