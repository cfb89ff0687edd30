"""What was put into a real Sendmail's files by hand outlives a migration, or is told before it is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import PROJECT, Lab

# One process of several takes all of these, for they share a lab.
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("edits")]

SMARTHOST = r"""set -e
make -C /etc/mail >/dev/null 2>&1
sed -i 's/^DS.*/DSsmarthost.example.test/' /etc/mail/sendmail.cf
sendmail -bv someone@elsewhere.test | grep -q 'mailer relay, host smarthost.example.test'
"""
# The next make takes sendmail.cf for stale, and an entry stands in the map alone.
YOUNGER = r"""set -e
cd /etc/mail
sleep 1
touch sendmail.mc
{ cat access; echo 'Connect:192.0.2.9 RELAY'; } | makemap hash access 2>/dev/null
"""
FILES = r"""cd /etc/mail
sha256sum sendmail.cf sendmail.mc submit.cf access databases Makefile
makemap -u hash access | sort
"""
NORMAL = "touch /etc/mail/sendmail.mc; make -C /etc/mail sendmail.cf access >/dev/null 2>&1"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Yield a lab for all of these."""
    with Lab(seed=1) as running:
        yield running


def tool(lab: Lab, role: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolbox on a host to its end."""
    keys = ("--identity-file", f"{lab.folder}/operator", "--known-hosts", f"{lab.folder}/known_hosts")
    where = ("--host", f"root@{lab.place.address(role)}", *keys, "--state-dir", f"{lab.folder}/tools")
    argv = [sys.executable, "-m", "migrator", "sendmail", *words, *where]
    return subprocess.run(
        argv, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


def test_a_smart_host_typed_into_sendmail_cf_is_told_and_never_dropped_unasked(lab: Lab) -> None:
    lab.shell("old", SMARTHOST)
    lab.shell("new", SMARTHOST + YOUNGER)
    before = {role: lab.shell(role, FILES) for role in ("old", "new")}

    checked = lab.migrate("check")
    assert checked.returncode == 3, checked.stdout
    for word in ("edited-cf", "-DSsmarthost.example.test", "+DS", "edited-maps", "-connect:192.0.2.9"):
        assert word in checked.stdout, word
    refused = lab.migrate("run", "--until", "exempt-old")
    assert refused.returncode == 3, refused.stderr
    assert "-DSsmarthost.example.test" in refused.stderr
    assert "--force edited-cf" in refused.stderr
    used = tool(lab, "old", "harden", "recipients=3", "--yes")
    assert used.returncode == 3, used.stderr
    assert "-DSsmarthost.example.test" in used.stderr
    assert {role: lab.shell(role, FILES) for role in ("old", "new")} == before

    words = ("--force", "edited-cf", "--force", "edited-maps")
    succeed(lab, "run", "--until", "exempt-old", *words)
    assert "mailer relay" not in lab.shell("new", "sendmail -bv someone@elsewhere.test; :")
    assert "192.0.2.9" not in lab.shell("new", FILES)
    succeed(lab, "rollback", "--yes")
    assert {role: lab.shell(role, FILES) for role in ("old", "new")} == before
    assert "smarthost.example.test" in lab.shell("new", "sendmail -bv someone@elsewhere.test")
    for role in ("old", "new"):
        lab.shell(role, NORMAL)
    assert lab.migrate("check").returncode == 0
