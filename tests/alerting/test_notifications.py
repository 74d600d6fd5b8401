"""People are told of an incident once, on every channel, and a channel that is down costs nothing else."""

import logging
from datetime import UTC, date, datetime, timedelta
from email import message_from_string, policy
from uuid import UUID

import pytest

from feedback_pipeline.alerting import incidents, notifications
from feedback_pipeline.alerting.channels import DeliveryError, Log, Mail, Webhook, configured_channels
from feedback_pipeline.alerting.detectors import Alert, Reading
from feedback_pipeline.alerting.messages import TITLES, Message, incident_message
from feedback_pipeline.alerting.tables import KINDS
from feedback_pipeline.settings import Settings, SettingsError

DAY = date(2026, 11, 9)
NOW = datetime(2026, 11, 10, 6, tzinfo=UTC)
MESSAGE = Message("alert:1", "[feedback] Ünusual", "*chat*", "plain äöü", "line")


def record(database, day=DAY, name="mail"):
    dimensions = (("action_type", name),)
    alert = Alert("new_action_type", "error", day, f"Action type {name}: 60.0 % down.", {}, dimensions)
    incidents.record(database, [Reading("new_action_type", day, alert)], day=day, now=NOW)


def notify(database, *channels, today=None):
    return notifications.notify(database, channels, today=today or DAY + timedelta(days=1), now=NOW)


def test_one_incident_is_told_once_on_each_channel(database, webhook, mail_server):  # D5
    channels = (Webhook(webhook.url), Mail(mail_server.url, "pipeline@example.org", ("a@example.org", "b@example.org")))
    record(database)
    assert notify(database, *channels).sent == 2
    for offset in range(3):
        record(database, DAY + timedelta(days=offset))
        assert notify(database, *channels).sent == 0
    (chat,) = webhook.received
    assert "A new action type gets many votes down" in chat
    assert "60.0 % down" in chat
    (text,) = mail_server.received
    mail = message_from_string(text, policy=policy.default)
    assert mail["subject"] == "[feedback] A new action type gets many votes down"
    assert mail["to"] == "a@example.org, b@example.org"
    assert str(incidents.incidents(database)[0].id) in mail.get_content()


def test_a_channel_that_is_down_is_tried_again_and_the_others_are_not_told_twice(database, webhook, mail_server):
    channels = (Webhook(webhook.url), Mail(mail_server.url, "pipeline@example.org", ("a@example.org",)))
    webhook.status = 503
    record(database)
    first = notify(database, *channels)
    assert (first.sent, first.problems) == (1, ("webhook: the webhook answered HTTP 503",))
    assert incidents.incidents(database)[0].notified_at is None
    webhook.status = 200
    assert notify(database, *channels).sent == 1
    assert (len(webhook.received), len(mail_server.received)) == (1, 1)
    assert incidents.incidents(database)[0].notified_at == NOW


def test_history_is_nobodys_news(database, webhook):
    record(database)
    assert notify(database, Webhook(webhook.url), today=DAY + timedelta(days=11)).sent == 0
    assert notify(database, Webhook(webhook.url), today=DAY + timedelta(days=10)).sent == 1


def test_what_somebody_already_looks_after_is_not_told(database, webhook):
    record(database)
    incidents.acknowledge(database, incidents.incidents(database)[0].id, person="Ada", now=NOW)
    assert notify(database, Webhook(webhook.url)).sent == 0


def test_a_subject_is_sent_once(database, webhook):  # C6: the weekly digest
    sent = [notifications.send_once(database, [Webhook(webhook.url)], MESSAGE, now=NOW).sent for _ in range(2)]
    assert sent == [1, 0]
    assert webhook.received == ["*chat*"]


def test_problems_name_no_secret(webhook):
    webhook.status = 404
    for channel in (Webhook(webhook.url), Webhook("http://127.0.0.1:1/secret-part")):
        with pytest.raises(DeliveryError) as caught:
            channel.send(MESSAGE)
        assert "secret-part" not in f"{caught.value}{channel!r}"


def test_a_redirect_is_not_followed(webhook):
    webhook.status = 302
    with pytest.raises(DeliveryError, match="302"):
        Webhook(webhook.url).send(MESSAGE)
    assert webhook.received == []


def test_mail_that_nobody_takes_is_a_problem(mail_server):
    mail_server.status = 550
    with pytest.raises(DeliveryError, match="SMTPRecipientsRefused"):
        Mail(mail_server.url, "p@example.org", ("a@example.org",)).send(MESSAGE)


def test_mail_logs_in_where_a_password_is_given(mail_server):
    Mail(mail_server.url.replace("//", "//me:pass%20word@"), "p@example.org", ("a@example.org",)).send(MESSAGE)
    mail = message_from_string(mail_server.received[0], policy=policy.default)
    assert mail_server.logged_in
    assert (mail["subject"], mail.get_content().strip()) == ("[feedback] Ünusual", "plain äöü")


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_has_words(kind):
    message = incident_message(UUID(int=1), kind, "warn", {}, "why", DAY, DAY)
    assert TITLES[kind] in message.chat
    assert TITLES[kind] in message.plain
    assert "\n" not in message.headline


def test_a_dimension_value_cannot_format_mention_or_break_a_line():
    nasty = {"action_type": "<!channel> *a* `b`\nFrom: x <https://evil.example|click>"}
    message = incident_message(UUID(int=1), "new_action_type", "error", nasty, nasty["action_type"], DAY, DAY)
    assert "<!channel>" not in message.chat
    assert "<https" not in message.chat
    assert "|click" not in message.chat
    assert "\nFrom:" not in message.chat
    assert "evil" not in message.headline


def test_the_log_is_told_where_nothing_is_configured(caplog):
    (channel,) = configured_channels(Settings.from_environment({}))
    assert channel == Log()
    with caplog.at_level(logging.WARNING, "feedback.alerts"):
        channel.send(MESSAGE)
    assert caplog.messages == ["line"]


def test_channels_come_from_the_settings_and_are_not_shown():
    settings = Settings.from_environment(
        {
            "FEEDBACK_ALERT_WEBHOOK": "https://hooks.example.org/secret-part",
            "FEEDBACK_SMTP_URL": "smtp://me:secret-part@mail.example.org",
            "FEEDBACK_MAIL_TO": "a@example.org, b@example.org",
            "OPENAI_API_KEY": "secret-part",
        }
    )
    assert [channel.name for channel in configured_channels(settings)] == ["webhook", "mail"]
    assert settings.mail_to == ("a@example.org", "b@example.org")
    assert "secret-part" not in f"{settings!r}{settings.described()}"
    assert settings.described()["smtp_url"] == "set"
    assert Settings.from_environment({}).described()["alert_webhook"] == "not set"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"FEEDBACK_ALERT_WEBHOOK": "hooks.example.org/secret"}, "FEEDBACK_ALERT_WEBHOOK"),
        ({"FEEDBACK_ALERT_WEBHOOK": "file:///secret"}, "FEEDBACK_ALERT_WEBHOOK"),
        ({"FEEDBACK_SMTP_URL": "https://secret"}, "FEEDBACK_SMTP_URL"),
        ({"FEEDBACK_SMTP_URL": "smtp://secret"}, "FEEDBACK_MAIL_TO"),
    ],
)
def test_a_wrong_address_is_named_but_not_quoted(environment, named):
    with pytest.raises(SettingsError, match=named) as caught:
        Settings.from_environment(environment)
    assert "secret" not in str(caught.value)
