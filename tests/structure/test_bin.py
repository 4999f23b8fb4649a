"""bin/: what it does before Python is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parents[2] / "bin"

# As apt does it: the status descriptor is closed for dpkg, whose package scripts then write to their output.
APT_GET = """#!/bin/bash
for word in "$@"; do case $word in APT::Status-Fd=*) fd=${word#*=} ;; esac; done
echo "pmstatus:some-package:50.0:Configuring some-package" >&"$fd"
eval "exec $fd>&-"
echo "Updating certificates" || exit 100
"""


def bash(script, *, path=""):
    """`script` with the functions of bin/install.sh at hand."""
    return subprocess.run(
        ["bash", "-c", f'. "{BIN}/install.sh"; PATH="{path}:$PATH"; as_root() {{ "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_package_scripts_can_write_while_apt_reports_its_progress(tmp_path):
    (tmp_path / "apt-get").write_text(APT_GET)
    (tmp_path / "apt-get").chmod(0o755)
    done = bash(f'log={tmp_path}/log; run_apt "installing" install some-package', path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Updating certificates" in (tmp_path / "log").read_text()


def test_a_failed_package_is_named_with_its_reason_and_the_log(tmp_path):
    (tmp_path / "log").write_text(
        "Get:1 something\n"
        "dpkg: error processing package ca-certificates (--configure):\n"
        " installed ca-certificates package post-installation script subprocess returned error exit status 1\n"
        "E: Sub-process /usr/bin/dpkg returned an error code (1)\n"
    )
    done = bash(f'log={tmp_path}/log; explain_apt "apt-get failed." freeradius')
    assert done.returncode == 1
    for said in ("dpkg: error processing package ca-certificates", "exit status 1", f"{tmp_path}/log"):
        assert said in done.stderr
    assert "Get:1" not in done.stderr


def test_the_code_of_a_closed_checkout_is_copied_only_when_it_changed(tmp_path):
    checkout, place = tmp_path / "checkout", tmp_path / "place"
    (checkout / "var").mkdir(parents=True)
    (checkout / "var" / "data").write_text("kept out")
    (checkout / "one.py").write_text("1")
    (checkout / "two.py").write_text("2")
    copy = f"root={checkout}; place={place}; copy_code run"

    assert bash(copy).returncode == 0
    assert {path.name for path in place.glob("*.py")} == {"one.py", "two.py"}
    assert not (place / "var" / "data").exists()
    first = place.stat().st_ino
    assert bash(copy).returncode == 0
    assert place.stat().st_ino == first

    (checkout / "one.py").unlink()
    (checkout / "two.py").write_text("22")
    assert bash(copy).returncode == 0
    assert [path.name for path in place.glob("*.py")] == ["two.py"]
    assert (place / "two.py").read_text() == "22"


@pytest.mark.parametrize("word", ["--emtpy", "demo", "-e"])
def test_a_wrong_word_is_refused_before_anything_is_installed(word):
    done = subprocess.run([BIN / "run", word], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{word} is not an option; there is --empty" in done.stderr


def test_a_refused_installation_leaves_no_empty_log_behind(tmp_path):
    done = bash(
        f"export TMPDIR={tmp_path}; missing_of() {{ echo freeradius; }}; id() {{ echo 1000; }}; unset -f as_root\n"
        "sudo() { return 1; }; install_for run </dev/null"
    )
    assert done.returncode == 1
    assert "sudo asks for a password and there is no terminal" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failed_installation_takes_its_policies_away_and_keeps_the_log_it_names(tmp_path):
    policies = tmp_path / "services", tmp_path / "cluster.d" / "policy"
    done = bash(
        f"export TMPDIR={tmp_path}; services_policy={policies[0]}; cluster_policy={policies[1]}\n"
        "missing_of() { echo freeradius; }; dpkg() { :; }\n"
        f'run_apt() {{ [ -s "$services_policy" ] && [ -s "$cluster_policy" ] || echo "E: no policy" >>"$log"; '
        'echo "E: Unable to locate package freeradius" >>"$log"; return 100; }\n'
        "install_for run </dev/null"
    )
    assert done.returncode == 1
    assert "E: Unable to locate package freeradius" in done.stderr
    assert "E: no policy" not in done.stderr
    assert [path.exists() for path in policies] == [False, False]
    (log,) = tmp_path.glob("corrente-install.*")
    assert str(log) in done.stderr


def test_npm_packages_are_installed_by_the_lock_file_once_until_it_changes(tmp_path):
    (tmp_path / "tests" / "node").mkdir(parents=True)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    lock = tmp_path / "tests" / "node" / "package-lock.json"
    (tmp_path / "tests" / "node" / "package.json").write_text("{}")
    lock.write_text('"node_modules/one": {}\n')
    npm = tmp_path / ".venv" / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\npwd >>{tmp_path}/calls\necho "$@" >>{tmp_path}/calls\n')
    npm.chmod(0o755)
    install = f"root={tmp_path}; log={tmp_path}/log; install_node"

    assert bash(install).returncode == 0
    assert bash(install).returncode == 0
    once = [f"{tmp_path}/.venv/node", "ci --ignore-scripts --no-audit --no-fund"]
    assert (tmp_path / "calls").read_text().splitlines() == once

    lock.write_text('"node_modules/one": {}\n"node_modules/two": {}\n')
    changed = bash(install)
    assert "Installing 2 npm packages" in changed.stdout
    assert (tmp_path / "calls").read_text().splitlines() == once * 2

    npm.write_text("#!/bin/sh\necho no such version >&2\nexit 1\n")
    lock.write_text("")
    failed = bash(install)
    assert failed.returncode == 1
    assert "no such version" in failed.stderr
    assert f"npm could not install tests/node/package-lock.json. The whole log: {tmp_path}/log" in failed.stderr
    assert bash(install).returncode == 1
