"""Setting up an access device, further pages of nases.py: what to paste on it, the key to trust, and a test of each part while one looks.

The test runs in this process, as the command's does in its own: it needs no worker. Its page listens to it; each step is shown
when it is known.

Next: ../../control_plane/device_test/looking.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from flask import Response, current_app, flash, render_template, request, stream_with_context, url_for
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as Answered

from control_plane.access.permissions import Permission
from control_plane.device_commands import (
    DeviceCommands,
    DeviceSecrets,
    Facing,
    device_commands,
    hidden_secrets,
    read_facing,
)
from control_plane.findings import Finding, Verdict
from control_plane.nases import is_never_answered, reveal_secrets, trust_host_key, way_in
from control_plane.store.nas import Nas
from control_plane.store.targets import NasTarget, load_targets
from nas_drivers.driver import vendor_names
from nas_drivers.errors import NasError
from radius_hooks.sealing import SealError
from web.acting import demand, person, transaction
from web.database import Connection
from web.device_tests import TESTING, findings_of
from web.forms import do_once, read_form, refuse, status_of, was_sent
from web.language import gettext
from web.marks import allowed
from web.sealing import sealer
from web.staff.nas_forms import HostKeyForm, ReasonForm
from web.staff.nas_words import STEPS, VERDICTS, advice_words, finding_words, pages_for, vendor_shown
from web.staff.nases import nas_of
from web.staff.nases import pages as nases
from web.surroundings import here

Answer = Answered | str | tuple[str, int]

# A test begins when its page listens; a link to it is no good for later.
_BEGIN_WITHIN_S: Final = 30
_SALT: Final = "nas test"


@nases.route("/nases/<name>/setup", methods=["GET", "POST"])
@allowed(Permission.NETWORK_SEE)
def setup(name: str) -> Answer:
    """What to paste on it, with words in the place of secrets; sent with a reason, with the secrets."""
    form = read_form(ReasonForm)
    facing, wrong = _facing()
    with transaction() as connection:
        nas = nas_of(connection, name)
        target = _target(connection, nas)
        secrets = hidden_secrets(target)
        revealed = False
        if was_sent(form):
            demand(Permission.NETWORK_CHANGE)
            try:
                secrets = reveal_secrets(connection, target, sealer(), reason=form.reason.data, actor=person().name)
                revealed = True
            except SealError:
                refuse(form, "", gettext("The secrets were sealed with another key than this process has."))
        commands, problem = _commands(connection, target, secrets, facing)
    # Shown after the commit alone: what was not written down is not seen.
    text = render_template(
        "staff/nases/setup.html",
        form=form,
        nas=nas,
        commands=commands,
        problem=wrong or problem,
        secrets=secrets if revealed else None,
        vendor=vendor_shown(nas.vendor),
        way=way_in(nas.vendor) if nas.vendor in vendor_names() else None,
        never_answered=nas.vendor in vendor_names()
        and is_never_answered(nas.vendor, signed=nas.require_message_authenticator),
    )
    return text, status_of(form)


def _facing() -> tuple[Facing, str]:
    """What was said of how the device sees us, and what is wrong with it."""
    given = {name: request.args.get(name, "").strip() for name in ("device", "radius", "portal")}
    try:
        return read_facing(**given), ""
    except ValueError:
        return Facing(), gettext("An address can't be read. Write it such as %(example)s.", example="192.0.2.7")


def _commands(
    connection: Connection, target: NasTarget, secrets: DeviceSecrets, facing: Facing
) -> tuple[DeviceCommands | None, str]:
    try:
        return device_commands(connection, here().settings, target, secrets, facing), ""
    except NasError as error:
        return None, str(error)


def _target(connection: Connection, nas: Nas) -> NasTarget:
    return next(one for one in load_targets(connection) if one.id == nas.id)


@nases.route("/nases/<name>/host-key", methods=["GET", "POST"])
@allowed(Permission.NETWORK_CHANGE)
def host_key(name: str) -> Answer:
    """The key that its command line shows; trusted once a person has compared it."""
    from control_plane.host_keys import NoHostKeyError, read_host_key  # noqa: PLC0415 - SSH is half a second, for this page alone

    with transaction() as connection:
        nas = nas_of(connection, name)
    form = read_form(HostKeyForm)
    key, problem = None, ""
    try:
        key = read_host_key(nas)
    except NoHostKeyError as error:
        problem = str(error)
    if was_sent(form) and key is not None:
        if form.fingerprint.data != key.fingerprint:
            refuse(form, "", gettext("It shows another key now than the one you were shown: nothing was changed."))
        else:
            found = key

            def trust(connection: Connection) -> str:
                at = nas_of(connection, name)
                trust_host_key(
                    connection, at, found.line, shown=found.fingerprint, before=found.trusted, actor=person().name
                )
                flash(gettext("Trusted."), "good")
                return url_for("nases.setup", name=name)

            return do_once(trust)
    return render_template(
        "staff/nases/host_key.html", form=form, nas=nas, key=key, problem=problem
    ), 502 if problem else status_of(form)


@nases.post("/nases/<name>/test")
@allowed(Permission.NETWORK_ACT)
def test(name: str) -> str:
    """The part of the page that listens to a test, which begins with that."""
    with transaction() as connection:
        nas_of(connection, name)
    return render_template("staff/nases/_testing.html", name=name, key=_signer().dumps([name, person().id]))


@nases.get("/nases/<name>/test/live")
@allowed(Permission.NETWORK_ACT)
def live(name: str) -> Response:
    """The test itself, a step at a time."""
    try:
        if _signer().loads(request.args.get("key", ""), max_age=_BEGIN_WITHIN_S) != [name, person().id]:
            raise BadRequest
    except BadSignature as error:
        raise BadRequest from error
    if not TESTING.acquire(blocking=False):
        return _events(iter([("step", _line(_busy())), ("done", "")]))
    answer = _events(_run(name))
    answer.call_on_close(TESTING.release)
    return answer


def _busy() -> Finding:
    return Finding(Verdict.WARN, "", gettext("Several devices are being tested at this moment. Try again in a moment."))


def _events(told: Iterator[tuple[str, str]]) -> Response:
    def written() -> Iterator[bytes]:
        for event, text in told:
            lines = "".join(f"data: {line}\n" for line in text.splitlines()) or "data: \n"
            yield f"event: {event}\n{lines}\n".encode()

    response = Response(stream_with_context(written()), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _run(name: str) -> Iterator[tuple[str, str]]:
    """Each step as an event, then the end."""
    began, failed = datetime.now(UTC), 0
    yield "doing", gettext("Reading what was heard of it …")
    for finding in findings_of(name, sealer()):
        failed += finding.verdict is Verdict.FAIL
        yield "step", _line(finding, name)
        if finding.subject == "accounting":
            yield "doing", gettext("Asking for the end of a session that nobody has …")
        if finding.subject == "changes":
            yield "doing", gettext("Asking the device itself, which may take a minute …")
    took_s = (datetime.now(UTC) - began).total_seconds()
    yield "doing", render_template("staff/nases/_tested.html", failed=failed, took_s=took_s)
    yield "done", ""


def _line(finding: Finding, name: str = "") -> str:
    words, tone = VERDICTS[finding.verdict]
    subject, links = STEPS.get(finding.subject, ""), pages_for(str(finding.advice), name)
    return render_template(
        "staff/nases/_step.html",
        text=finding_words(finding.text),
        advice=advice_words(finding.advice),
        subject=subject or finding.subject,
        words=words,
        tone=tone,
        links=links,
    )


def _signer() -> URLSafeTimedSerializer:
    assert current_app.secret_key is not None
    return URLSafeTimedSerializer(current_app.secret_key, salt=_SALT)
