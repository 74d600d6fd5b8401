"""The commands about people and their data, mounted by `cli.groups`: `feedback consent`, `forget`, `receipt`,
`retention`, `quarantine …`, `pseudonyms …`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.markup import escape

from feedback_pipeline.cli.listing import Json, Listing
from feedback_pipeline.cli.opening import open_pipeline
from feedback_pipeline.cli.printing import PlainConsole

quarantine = typer.Typer(
    help="Refused rows: list, show, correct and re-admit.", no_args_is_help=True, rich_markup_mode=None
)
pseudonyms = typer.Typer(
    help="The keys people's ids are hashed with: show, rotate.", no_args_is_help=True, rich_markup_mode=None
)
console = PlainConsole()
errors = PlainConsole(stderr=True)

Tenant = Annotated[str, typer.Option(help="The tenant the person belongs to.")]
_YES = {True: "yes", False: "no"}


def _refuse(message: str) -> typer.Exit:
    errors.print(f"feedback: {escape(message)}", style="red", highlight=False)
    return typer.Exit(code=1)


def consent(
    user: Annotated[str, typer.Option(help="The person's id, as the application sends it.")],
    tenant: Tenant = "default",
    collect: Annotated[bool | None, typer.Option("--collect/--no-collect", help="May be stored.")] = None,
    analysis: Annotated[bool | None, typer.Option("--analysis/--no-analysis", help="May enter statistics.")] = None,
    training: Annotated[bool | None, typer.Option("--training/--no-training", help="May enter training files.")] = None,
) -> None:
    """Show or change what a person allows; obeyed from this moment."""
    from feedback_pipeline.privacy import consent as consents

    pipeline = open_pipeline()
    try:
        if collect is None and analysis is None and training is None:
            known = consents.read(pipeline.database, pipeline.pseudonymiser, tenant, user)
        else:
            known = consents.record(
                pipeline.database, pipeline.pseudonymiser, tenant, user,
                collect=collect, use_for_analysis=analysis, use_for_training=training,
            )  # fmt: skip
            said = {"collect": collect, "analysis": analysis, "training": training}
            _note(pipeline, "consent.changed", tenant, person=_mark(pipeline, tenant, user), **said)
    except ValueError as error:
        raise _refuse(str(error)) from error
    console.print(
        f"collection {_YES[known.collect]}, analysis {_YES[known.use_for_analysis]}, "
        f"training {_YES[known.use_for_training]}",
        highlight=False,
    )
    if not known.known:
        console.print("The store holds no row of this person; consent holds from the first one.")
    elif not known.collect:
        console.print(f"{known.answers} answers and {known.votes} events from before are kept: feedback forget")


def forget(
    user: Annotated[str | None, typer.Option(help="A person's id, as the application sends it.")] = None,
    tenant: Tenant = "default",
    interaction: Annotated[str | None, typer.Option(help="An answer's id: it and every vote on it.")] = None,
    tenant_all: Annotated[str | None, typer.Option(help="A tenant: everything it has.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    replace_mentions: Annotated[
        bool, typer.Option("--replace-mentions", help="Take the person's id out of other people's texts as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a person, an answer or a tenant everywhere, and write a signed receipt. Interrupted: give it again."""
    from feedback_pipeline.erasure import erasure
    from feedback_pipeline.erasure.context import ErasureError
    from feedback_pipeline.erasure.preview import preview

    pipeline = open_pipeline()
    subject = _subject(pipeline, user, tenant, interaction, tenant_all)
    context = open_erasure_context(pipeline, replace_mentions=replace_mentions)
    foreseen = preview(context, subject)
    _show_preview(foreseen)
    if dry_run:
        if foreseen.unknown and foreseen.earlier is None:
            raise _refuse(erasure.nothing_known(subject))
        raise typer.Exit
    if not foreseen.unknown and not yes:
        typer.confirm("Erase all of this? It cannot be undone", abort=True)
    try:
        receipt = erasure.forget(context, subject, lambda line: console.print(line, highlight=False))
    except ErasureError as error:
        raise _refuse(str(error)) from error
    _note(
        pipeline, "subject.forgotten", subject.tenant or None,
        kind=subject.kind, subject=subject.mark, erasure=receipt["erasure"],
    )  # fmt: skip
    checked = receipt["steps"]["verification"]
    console.print(
        f"Erased. {checked['texts_searched']:,} texts in {checked['places']} tables and files searched: none left.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    _show_unsearched(checked)
    for line in receipt["remains"]:
        console.print(f"remains: {escape(line)}", highlight=False, soft_wrap=True)
    receipt_file = pipeline.settings.home / "erasures" / f"{receipt['erasure']}.receipt.json"
    console.print(f"Receipt: {receipt_file}", highlight=False, soft_wrap=True)


def _show_unsearched(checked: Any) -> None:
    """What the search cannot say: places it does not read, texts that are anybody's, ids that somebody decides on."""
    for place, reason in checked["not_searched"].items():
        console.print(f"not searched: {escape(place)} ({escape(reason)})", highlight=False, soft_wrap=True)
    for place, count in checked["short_texts_by_chance"].items():
        console.print(
            f"{count} short texts stand in {escape(place)} too, where others may have put them", highlight=False
        )
    for table, ids in checked["id_found_in_rows"].items():
        console.print(f"the id stands in {table}: {', '.join(ids)}", highlight=False, soft_wrap=True)


def _note(pipeline: Any, action: str, tenant: str | None, **detail: Any) -> None:
    """Writes what was done into the audit log."""
    from feedback_pipeline.privacy import audit_log

    audit_log.append(
        pipeline.database, pipeline.pseudonymiser, action, actor=audit_log.account(), tenant=tenant, detail=detail
    )


def _mark(pipeline: Any, tenant: str, user: str) -> str:
    """A keyed hash of a person, the same as in receipts of erasures."""
    from feedback_pipeline.erasure.subjects import person

    return str(person(pipeline.pseudonymiser, tenant, user).mark)


def audit_log_command(
    limit: Annotated[int, typer.Option(min=1, help="At most this many rows, the newest first.")] = 50,
    action: Annotated[str | None, typer.Option(help="Only actions that begin with this, such as votes.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check that no row was changed or taken out.")] = False,
    as_json: Json = False,
) -> None:
    """Show who read, exported, forgot, made keys, changed consent; nobody can take a row out unnoticed."""
    from feedback_pipeline.privacy import audit_log

    pipeline = open_pipeline()
    if verify:
        checked = audit_log.check(pipeline.database, pipeline.pseudonymiser)
        if checked.problems:
            raise _refuse(f"the audit log is not whole: {'; '.join(checked.problems)}")
        console.print(f"{checked.rows} rows, whole; sealed up to row {checked.sealed}", highlight=False)
        return
    rows = Listing("row", "at_utc", "who", "what", "tenant", "detail", at_utc="{:%Y-%m-%d %H:%M:%S}".format,
                   detail=lambda items: ", ".join(f"{name} {one}" for name, one in items.items()))  # fmt: skip
    for row in audit_log.listed(pipeline.database, limit, action):
        detail = {name: value for name, value in row.detail.items() if value is not None}
        rows.add(row.id, row.at.astimezone(UTC), row.actor, row.action, row.tenant, detail)
    rows.show(console, as_json, "Nothing was noted yet.")


def _subject(pipeline: Any, user: str | None, tenant: str, interaction: str | None, tenant_all: str | None) -> Any:
    from feedback_pipeline.erasure import subjects

    if sum(given is not None for given in (user, interaction, tenant_all)) != 1:
        raise typer.BadParameter("give exactly one of --user, --interaction, --tenant-all")
    try:
        if user is not None:
            return subjects.person(pipeline.pseudonymiser, tenant, user)
        if interaction is not None:
            return subjects.answer(pipeline.pseudonymiser, UUID(interaction))
    except ValueError as error:
        raise typer.BadParameter("--interaction takes an id (UUID), and --user one that is not empty") from error
    return subjects.whole_tenant(pipeline.pseudonymiser, str(tenant_all))


def open_erasure_context(pipeline: Any, *, replace_mentions: bool = False) -> Any:
    """Everything that an erasure reaches."""
    from datetime import timedelta

    from feedback_pipeline.erasure.context import ErasureContext
    from feedback_pipeline.tuning.configured import open_provider

    provider = open_provider(pipeline.settings)
    return ErasureContext(
        database=pipeline.database,
        frames=pipeline.frames,
        home=pipeline.settings.home,
        pseudonymiser=pipeline.pseudonymiser,
        providers={provider.name: provider},
        recompute=lambda weeks, months: _recompute(pipeline, weeks, months),
        now=pipeline.now,
        training_weeks=pipeline.settings.training_weeks,
        last_day=pipeline.today() - timedelta(days=1),
        replace_mentions=replace_mentions,
    )


def _recompute(pipeline: Any, weeks: Any, months: Any) -> Any:
    from jobs import erasure, instance

    with instance.open_instance(pipeline.settings, pipeline.database) as opened:
        return erasure.recompute(
            pipeline, opened, weeks, months, report=lambda line: console.print(line, highlight=False)
        )


def _show_preview(foreseen: Any) -> None:
    if foreseen.earlier is not None:
        console.print(f"Forgotten before, on {foreseen.earlier.astimezone(UTC):%Y-%m-%d %H:%M} UTC.", highlight=False)
    if foreseen.interrupted:
        console.print("An erasure was interrupted: it is taken up again.")
    console.print(
        f"{foreseen.interactions:,} answers, {foreseen.feedback:,} events and {foreseen.refusals:,} refused rows on "
        f"{foreseen.days} days; {len(foreseen.weeks)} weeks to compute anew",
        highlight=False,
    )
    for dataset, share in foreseen.datasets:
        console.print(f"dataset {dataset[:12]}: {share:.2%} of its weight", highlight=False)
    if foreseen.provider_files:
        console.print(f"{foreseen.provider_files} uploaded files to delete", highlight=False)
    if foreseen.votes_of_others:
        console.print(f"{foreseen.votes_of_others} votes of other people lose their answer", highlight=False)


def receipt(file: Annotated[Path, typer.Argument(help="A receipt.")]) -> None:
    """Check that a receipt is ours and unchanged."""
    from feedback_pipeline.erasure.receipts import is_genuine

    try:
        read = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise _refuse(f"{file} is not a receipt") from error
    if not isinstance(read, dict) or not is_genuine(open_pipeline().pseudonymiser, read):
        raise _refuse(f"{file} was not signed with a key of this installation, or was changed")
    console.print(f"genuine: {read['subject']['kind']} erased, finished {read['finished_at']}", highlight=False)


@quarantine.command("list")
def list_quarantine(
    state: Annotated[str, typer.Option(help="held, readmitted, discarded or all.")] = "held",
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only refused for this reason.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 50,
    as_json: Json = False,
) -> None:
    """List refused rows: where each stood and why it was refused."""
    from feedback_pipeline.store import quarantine as store

    if state not in ("held", "readmitted", "discarded", "all"):
        raise typer.BadParameter("--state takes held, readmitted, discarded or all")
    rows = store.listed(
        open_pipeline().database, state=None if state == "all" else state, source=source, reason=reason, limit=limit
    )
    found = Listing("id", "day", "source", "place", "field", "reason", "state")
    for row in rows:
        found.add(row.id, row.day, row.source, row.place, row.field, row.reason, row.state)
    found.show(console, as_json, "nothing is in quarantine")


@quarantine.command("show")
def show_quarantined(refusal: Annotated[UUID, typer.Argument(help="The row's id.")]) -> None:
    """Show what a refused row held (redacted, the person as a pseudonym)."""
    from feedback_pipeline.store import quarantine as store

    try:
        pipeline = open_pipeline()
        held = store.shown(pipeline.database, refusal)
    except store.QuarantineError as error:
        raise _refuse(str(error)) from error
    row = held.refused
    _note(pipeline, "quarantine.read", None, refusal=str(refusal))
    console.print(f"{row.source} {row.place}: {row.field or 'row'} {row.reason} ({row.state})", markup=False)
    console.print(held.payload or "what it held is not kept", markup=False, soft_wrap=True)


@quarantine.command("readmit")
def readmit_quarantined(
    refusal: Annotated[UUID, typer.Argument(help="The row's id.")],
    corrections: Annotated[
        list[str] | None, typer.Option("--set", help="COLUMN=VALUE as it should have been delivered; repeatable.")
    ] = None,
    sources: Annotated[Path | None, typer.Option(help="The file that names the sources.")] = None,
) -> None:
    """Correct a refused row and take it in."""
    from feedback_pipeline.ingest.readmission import readmit
    from feedback_pipeline.ingest.sources import load_sources
    from feedback_pipeline.store import quarantine as store

    pipeline = open_pipeline()
    corrected: dict[str, str | None] = {}
    for given in corrections or ():
        column, equals, value = given.partition("=")
        if not equals:
            raise typer.BadParameter("--set takes COLUMN=VALUE")
        corrected[column] = value or None
    try:
        held = store.shown(pipeline.database, refusal)
        source = load_sources(sources or pipeline.settings.sources_file).chosen((held.refused.source,))[0]
        done = readmit(pipeline.database, refusal, source, corrected, pipeline.now())
    except store.QuarantineError as error:
        raise _refuse(str(error)) from error
    console.print(f"re-admitted: {done.filed.feedback} events, {done.filed.interactions} answers", highlight=False)


@quarantine.command("discard")
def discard_quarantined(refusals: Annotated[list[UUID], typer.Argument(help="The rows' ids.")]) -> None:
    """Give refused rows up: they are no longer counted as held."""
    from feedback_pipeline.store import quarantine as store

    console.print(f"{store.settle(open_pipeline().database, refusals, 'discarded')} rows discarded", highlight=False)


@pseudonyms.command("show")
def show_pseudonym_keys(as_json: Json = False) -> None:
    """Show the versions of the key, each with a mark by which it is known and which gives nothing away."""
    keys = open_pipeline().pseudonymiser
    rows = Listing("version", "mark", "used_for")
    for version, mark in keys.fingerprints().items():
        rows.add(version, mark, "makes new pseudonyms" if version == keys.current else "finds earlier ones")
    rows.show(console, as_json)


@pseudonyms.command("rotate")
def rotate_pseudonym_key(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Make a new key for new pseudonyms; the earlier ones are kept, because what was written under them stays."""
    from feedback_pipeline.store.database import keep_key_fingerprints

    pipeline = open_pipeline()
    if not yes:
        typer.confirm("Everybody is a new person to the statistics from then on. Rotate?", abort=True)
    rotated = pipeline.pseudonymiser.rotate(pipeline.settings.home)
    keep_key_fingerprints(pipeline.database, rotated.fingerprints(), rotated.verify)
    _note(pipeline, "pseudonyms.rotated", None, key_version=rotated.current)
    console.print(
        f"New pseudonyms are made under {rotated.current} by every process that starts from now on: start the API and "
        "the UI again, and keep a copy of keys.json. Consent and erasures under earlier keys go on being obeyed.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Apply the policies now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    beyond_limits: Annotated[bool, typer.Option("--beyond-limits", help="Remove more than one run may.")] = False,
    take_back: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Give a day back what was emptied in the last 7 days.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how long what is kept and what would go; --apply removes it (the job `retention` does so nightly)."""
    from feedback_pipeline.erasure import retention as policies
    from feedback_pipeline.erasure import retention_limits

    pipeline = open_pipeline()
    settings = pipeline.settings
    if take_back is not None:
        try:
            rows = retention_limits.take_back(pipeline.database, take_back.date())
        except retention_limits.RetentionRefusedError as error:
            raise _refuse(str(error)) from error
        console.print(f"{rows:,} rows of {take_back:%Y-%m-%d} have their words back; compute it: feedback materialize")
        return
    in_force = policies.policies(pipeline.settings.raw_text_days)
    rows_kept = Listing("data", "days", "then", days=lambda days: "for ever" if days is None else str(days))
    for policy in in_force:
        rows_kept.add(policy.data, policy.days, policy.removed)
    rows_kept.show(console, as_json)
    if as_json and not apply:
        return
    console.print(f"Now: {policies.planned(pipeline.database, in_force, pipeline.today())}", highlight=False)
    if apply:
        if not yes:
            typer.confirm("Remove that, and the files that have had their time?", abort=True)
        limits = retention_limits.Limits(settings.retention_max_rows, settings.retention_max_share)
        try:
            retention_limits.compare_clocks(pipeline.database)
            done = policies.apply(
                pipeline.database, pipeline.frames, settings.home, in_force, pipeline.now(), pipeline.today(),
                limits=None if beyond_limits else limits,
            )  # fmt: skip
        except retention_limits.RetentionRefusedError as error:
            raise _refuse(str(error)) from error
        console.print(
            f"{done.sealed} days sealed, {done.emptied:,} rows emptied, {done.expired} days expired, "
            f"{done.unnamed:,} rows unnamed, {done.files + done.reject_files} files, {done.exports} exports and "
            f"{done.replies:,} replies of judging models deleted, {done.leftovers} leftovers of crashes swept",
            highlight=False,
        )


def mount(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (consent, forget, receipt, retention):
        app.command()(command)
    app.command("audit-log")(audit_log_command)
    app.add_typer(quarantine, name="quarantine")
    app.add_typer(pseudonyms, name="pseudonyms")
