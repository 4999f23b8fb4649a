"""The functions that FreeRADIUS calls, and the only module that knows its `radiusd`.

They never raise, never block and return nothing but small constants and tuples of text: a negative number would crash the
server, and an exception would be answered with an Access-Reject. Our own failure is silence, so that the access device
asks its other server.

FreeRADIUS embeds the distribution's Python, so the site-packages of our environment are put first when `instantiate`
runs; nothing but the standard library is imported before.

Source: src/modules/rlm_python3 of release 3.2.1.
Next: login.py
"""

from __future__ import annotations

import os
import site
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

import radiusd

if TYPE_CHECKING:
    from radius_hooks.accounting_check import AccountingCheck
    from radius_hooks.login import Answer, Logins
    from radius_hooks.login_spool import LoginSpool

# The constants of FreeRADIUS, written out: what is returned indexes a table there.
_REJECT: Final = 0
_FAIL: Final = 1
_OK: Final = 2
_HANDLED: Final = 3
_NOTFOUND: Final = 6
_CODES: Final = {"Accept": _OK, "Reject": _REJECT, "Silence": _HANDLED}
_STOP_THE_START: Final = -1
# What the sites put last into the request to say which call is meant.
_LOOKUP_NAS: Final = ("Corrente-Lookup", "nas")
_REFUSED: Final = ("Corrente-Lookup", "refused")
_L_ERR: Final = 4
_L_WARN: Final = 5
# One line a second for each thing that is wrong, however many requests meet it.
_LOG_INTERVAL_S: Final = 1.0
_MAX_LOG_KEYS: Final = 1000
_SILENCE: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "config": (("Response-Packet-Type", ":=", "Do-Not-Respond"), ("Post-Auth-Type", ":=", "Corrente-Silence"))
}

_Pairs = tuple[tuple[str, str], ...]
_Returned = int | tuple[int, dict[str, tuple[tuple[str, str, str], ...]]]

_logins: Logins | None = None
_spool: LoginSpool | None = None
_check: AccountingCheck | None = None
_said: dict[str, float] = {}


def instantiate(_: object) -> int:
    """Get ready; any problem stops the start. Runs for `freeradius -C` as well, so it changes nothing outside."""
    global _logins, _check, _spool  # noqa: PLW0603 - FreeRADIUS calls functions of a module, this is where they meet
    try:
        _put_first(radiusd.config["site_packages"])
        from radius_hooks.accounting_check import AccountingCheck  # noqa: PLC0415
        from radius_hooks.hook_settings import read_hook_settings  # noqa: PLC0415 - its libraries are found only now
        from radius_hooks.login import Logins  # noqa: PLC0415
        from radius_hooks.login_spool import LoginSpool  # noqa: PLC0415

        _spool = LoginSpool(Path(radiusd.config["login_spool_dir"]))
        _check = AccountingCheck(Path(radiusd.config["accounting_spool_dir"]))
        _logins = Logins(read_hook_settings(radiusd.config, os.environ))
    except BaseException as error:  # noqa: BLE001 - an exception that leaves would let a broken module start
        _log(_L_ERR, f"corrente: can't start: {type(error).__name__}: {error}")
        return _STOP_THE_START
    return _OK


def authorize(pairs: _Pairs) -> _Returned:
    """Answer an Access-Request, or look up the access device of a source address."""
    try:
        assert _logins is not None, "instantiate() comes first"
        if pairs[-1] == _LOOKUP_NAS:
            return _client(_logins, pairs)
        return _returned(_logins.answer(pairs, now=time.time()))
    except BaseException as error:  # noqa: BLE001 - the hook's entry: everything ends here, in silence
        return _failed(error)


def post_auth(pairs: _Pairs) -> _Returned:
    """What FreeRADIUS's modules said of a password that the hook could not check: right, so count it, or wrong."""
    try:
        assert _logins is not None, "instantiate() comes first"
        if pairs[-1] == _REFUSED:
            return _returned(_logins.refused(pairs, now=time.time()))
        return _returned(_logins.confirm(dict(pairs)["Corrente-Later"], now=time.time()))
    except BaseException as error:  # noqa: BLE001 - the hook's entry: everything ends here, in silence
        return _failed(error)


def accounting(_: object) -> int:
    """Whether the record that was just spooled is whole: if not, the access device is not answered and sends again."""
    try:
        assert _check is not None, "instantiate() comes first"
        _check.check()
    except BaseException as error:  # noqa: BLE001 - the hook's entry: everything ends here, in silence
        _say(_L_ERR, f"accounting is not answered, {type(error).__name__}: {error}")
        return _FAIL
    return _OK


def detach(_: object) -> int:
    """Let go of the store when the server stops."""
    try:
        if _logins is not None:
            _logins.close()
        if _spool is not None:
            _spool.close()
        if _check is not None:
            _check.close()
    except BaseException as error:  # noqa: BLE001 - the server is stopping, there is nobody left to tell but its log
        _log(_L_ERR, f"corrente: {error}")
    return _OK


def _client(logins: Logins, pairs: _Pairs) -> _Returned:
    source = dict(pairs)["Corrente-Source"].partition(" ")[0]
    control = logins.client(source)
    return _NOTFOUND if control is None else (_OK, {"config": control})


def _returned(answer: Answer) -> _Returned:
    for warning in answer.warnings:
        _say(_L_WARN, warning)
    if answer.line:
        _write(answer.line)
    lists = {"reply": answer.reply, "config": answer.control}
    if answer.request:
        lists["request"] = answer.request
    return (_CODES[type(answer.decision).__name__], lists)


def _write(line: bytes) -> None:
    """Put the login into the spool; whatever happens there, the login holds."""
    assert _spool is not None, "instantiate() comes first"
    try:
        _spool.write(line, now=time.monotonic())
    except OSError as error:
        _say(_L_ERR, f"the login spool can't be written: {error.strerror}")


def _failed(error: BaseException) -> _Returned:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"
    _say(_L_ERR, f"no answer, {type(error).__name__} at {place}: {error}")
    return (_FAIL, _SILENCE)


def _put_first(site_packages: str) -> None:
    """Make the environment's packages win over the distribution's, .pth files included."""
    before = list(sys.path)
    site.addsitedir(site_packages)
    added = [path for path in sys.path if path not in before]
    sys.path[:] = added + before


def _say(level: int, text: str) -> None:
    """Log a line unless the same was said a moment ago."""
    now = time.monotonic()
    if now - _said.get(text, -_LOG_INTERVAL_S) >= _LOG_INTERVAL_S:
        if len(_said) >= _MAX_LOG_KEYS:
            _said.clear()
        _said[text] = now
        _log(level, f"corrente: {text}")


def _log(level: int, text: str) -> None:
    # A NUL would raise; the server replaces other control characters itself.
    radiusd.radlog(level, text.replace("\x00", "?"))
