"""Telling people."""

from dataclasses import dataclass

from feedback_pipeline.environment import address, setting


@dataclass(frozen=True)
class AlertSettings:
    """Telling people."""

    alert_webhook: str | None = setting(
        "FEEDBACK_ALERT_WEBHOOK",
        None,
        "Slack-compatible webhook for incidents and the weekly digest",
        read=address("https", "http"),
        secret=True,
    )
    smtp_url: str | None = setting(
        "FEEDBACK_SMTP_URL",
        None,
        "mail server for the same: `smtp://user:password@host:587`, `smtps://…`",
        read=address("smtp", "smtps"),
        secret=True,
    )
    mail_from: str = setting("FEEDBACK_MAIL_FROM", "feedback-pipeline@localhost", "sender of these mails")
    mail_to: tuple[str, ...] = setting(
        "FEEDBACK_MAIL_TO", (), "who gets them, separated by commas; required with a mail server"
    )
