import base64
import importlib
import sys
import sysconfig

import pytest
from support import radiusd_stub
from support.accounting_world import detail
from support.radius_server import KEY, account_record, build_store

OK, FAIL, REJECT, HANDLED, NOTFOUND = 2, 1, 0, 3, 6
SILENT = (("Response-Packet-Type", ":=", "Do-Not-Respond"), ("Post-Auth-Type", ":=", "Corrente-Silence"))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The module as FreeRADIUS loads it, with a store of one account."""
    key_file = tmp_path / "key"
    key_file.write_bytes(base64.b64encode(KEY))
    (tmp_path / "logins").mkdir()
    (tmp_path / "accounting").mkdir()
    build_store(tmp_path / "policy", lambda batch: batch.put_account("anna", account_record(1))).close()
    monkeypatch.setattr(
        radiusd_stub,
        "config",
        {
            "site_packages": sysconfig.get_path("purelib"),
            "policy_dir": str(tmp_path / "policy"),
            "login_spool_dir": str(tmp_path / "logins"),
            "accounting_spool_dir": str(tmp_path / "accounting"),
            "secrets_key_file": str(key_file),
            "store_max_age_s": "0",
            "sessions_max_age_s": "300",
            "timeout_jitter_percent": "10",
        },
    )
    monkeypatch.setattr(radiusd_stub, "logged", [])
    monkeypatch.setitem(sys.modules, "radiusd", radiusd_stub)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "radius_hooks.module", raising=False)
    loaded = importlib.import_module("radius_hooks.module")
    yield loaded
    loaded.detach(None)
    sys.modules.pop("radius_hooks.module")


def request(name="anna", password="secret", source="127.0.0.1"):
    return (("User-Name", name), ("User-Password", password), ("Corrente-Source", f"{source} 5"))


def test_a_login_is_answered_with_constants_and_tuples_of_text(module, tmp_path):
    assert module.instantiate(None) == OK, radiusd_stub.logged

    code, lists = module.authorize(request())

    assert code == OK
    assert lists["reply"][0] == ("Message-Authenticator", ":=", "0x00")
    for pairs in lists.values():
        assert type(pairs) is tuple
        assert all(type(pair) is tuple and all(type(part) is str for part in pair) for pair in pairs)
    assert (tmp_path / "logins" / "logins").read_bytes().split()[1:3] == [b"accept", b"full"]


@pytest.mark.parametrize(
    ("pairs", "code"),
    [(request(password="x"), REJECT), (request("nobody"), REJECT), (request(source="9.9.9.9"), HANDLED)],
)
def test_a_refusal_and_a_silence_have_their_codes(module, pairs, code):
    module.instantiate(None)
    assert module.authorize(pairs)[0] == code


def test_a_device_is_described_or_unknown(module):
    module.instantiate(None)
    lookup = ("Corrente-Lookup", "nas")

    code, lists = module.authorize((("Corrente-Source", "127.0.0.1 0"), lookup))

    assert code == OK
    assert dict((name, value) for name, _, value in lists["config"])["FreeRADIUS-Client-Require-MA"] == "yes"
    assert module.authorize((("Corrente-Source", "127.0.0.9 0"), lookup)) == NOTFOUND


@pytest.mark.parametrize(
    "pairs",
    [None, (), 7, "text", (("User-Name", "anna"),), (("Corrente-Source", "x y"),), ((), ()), request(source="\0")],
)
@pytest.mark.parametrize("hook", ["authorize", "post_auth"])
def test_whatever_goes_wrong_inside_is_silence(module, hook, pairs):
    module.instantiate(None)
    returned = getattr(module, hook)(pairs)
    assert returned == (FAIL, {"config": SILENT}) or returned == (HANDLED, {"reply": (), "config": SILENT})
    assert radiusd_stub.logged


def test_before_it_is_ready_nothing_is_answered(module):
    assert module.authorize(request()) == (FAIL, {"config": SILENT})


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, RecursionError, StopIteration])
def test_no_exception_of_any_kind_leaves(module, monkeypatch, error):
    module.instantiate(None)

    def fail(*_, **__):
        raise error("with a \0 in it")

    monkeypatch.setattr(module._logins, "answer", fail)
    assert module.authorize(request()) == (FAIL, {"config": SILENT})
    assert error.__name__ in radiusd_stub.logged[-1][1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secrets_key_file", "/nowhere"),
        ("store_max_age_s", "soon"),
        ("site_packages", None),
        ("policy_dir", None),
        ("timeout_jitter_percent", ""),
    ],
)
def test_any_problem_stops_the_start(module, key, value):
    if value is None:
        del radiusd_stub.config[key]
    else:
        radiusd_stub.config[key] = value
    assert module.instantiate(None) == -1
    assert radiusd_stub.logged[-1][1].startswith("corrente: can't start: ")


def test_a_full_spool_refuses_nobody_and_says_so_once_a_second(module, tmp_path):
    module.instantiate(None)
    (tmp_path / "logins").rmdir()

    codes = [module.authorize(request())[0] for _ in range(5)]

    assert codes == [OK] * 5
    said = [text for _, text in radiusd_stub.logged if "spool" in text]
    assert said == ["corrente: the login spool can't be written: No such file or directory"]


def test_accounting_is_answered_only_when_its_record_is_whole(module, tmp_path):
    spool = tmp_path / "accounting" / "detail"
    assert module.accounting(None) == FAIL
    module.instantiate(None)
    assert module.accounting(None) == FAIL
    spool.write_text(detail("Start"))
    assert module.accounting(None) == OK

    spool.unlink()
    (tmp_path / "accounting").rmdir()
    assert module.accounting(None) == FAIL


def test_our_packages_come_first_on_the_path(module, tmp_path):
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "extra.pth").write_text(str(tmp_path / "logins") + "\n")
    module._put_first(str(tmp_path / "packages"))
    assert sys.path[:2] == [str(tmp_path / "packages"), str(tmp_path / "logins")]
