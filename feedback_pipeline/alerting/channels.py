"""Where messages go: a chat webhook, e-mail, or the log. Each sends one message or raises `DeliveryError`."""

import logging
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx2

from feedback_pipeline.alerting.messages import Message
from feedback_pipeline.settings import Settings

SECONDS = 10.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

log = logging.getLogger("feedback.alerts")


class DeliveryError(RuntimeError):
    """A channel did not take a message. The reason names neither its address nor its password."""


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What it is called in `notification`."""
        ...

    def send(self, message: Message) -> None:
        """Sends one message.

        Raises:
            DeliveryError: it was not taken.
        """
        ...


@dataclass(frozen=True)
class Webhook:
    """A Slack-compatible incoming webhook (Slack, Mattermost, Rocket.Chat, Zulip): its address is its password."""

    url: str = field(repr=False)
    name: str = "webhook"

    def send(self, message: Message) -> None:
        try:
            # a redirect would hand the message to an address nobody configured
            answer = httpx2.post(self.url, json={"text": message.chat}, timeout=SECONDS, follow_redirects=False)
        except httpx2.HTTPError as error:
            raise DeliveryError(f"the webhook cannot be reached ({type(error).__name__})") from None
        if not answer.is_success:
            raise DeliveryError(f"the webhook answered HTTP {answer.status_code}")


@dataclass(frozen=True)
class Mail:
    """A mail server (`smtp://user:password@host:587` with STARTTLS, `smtps://…:465`)."""

    url: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    name: str = "mail"

    def send(self, message: Message) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.recipients), message.headline
        # quoted-printable: servers without 8BITMIME exist
        mail.set_content(message.plain, cte="quoted-printable")
        try:
            with self._connected() as server:
                refused = server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError(f"the mail server did not take it ({type(error).__name__})") from None
        if refused:
            raise DeliveryError(f"the mail server refused {len(refused)} of {len(self.recipients)} recipients")

    def _connected(self) -> smtplib.SMTP:
        place = urlsplit(self.url)
        host = place.hostname or "localhost"
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if place.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, place.port or 465, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, place.port or 587, timeout=SECONDS)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            elif place.username and host not in LOOPBACK:
                server.close()
                raise DeliveryError("the mail server offers no encryption, so the password was not sent")
        if place.username:
            server.login(unquote(place.username), unquote(place.password or ""))
        return server


@dataclass(frozen=True)
class Log:
    """The process's log: where nothing else is configured."""

    name: str = "log"

    def send(self, message: Message) -> None:
        log.warning("%s", message.line)


def configured_channels(settings: Settings) -> Sequence[Channel]:
    """The channels of the settings; the log where there is none."""
    channels: list[Channel] = []
    if settings.alert_webhook is not None:
        channels.append(Webhook(settings.alert_webhook))
    if settings.smtp_url is not None:
        channels.append(Mail(settings.smtp_url, settings.mail_from, settings.mail_to))
    return channels or [Log()]
