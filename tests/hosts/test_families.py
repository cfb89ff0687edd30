"""A rebuild makes what the sources say, or says why not and leaves what was."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from migrator.hosts import families
from migrator.hosts.families import WAYS, rebuild, rebuild_maps, service
from tests.fakes import make_facts
from tests.hosts.shell import SHELLS, run

M4 = """#!/bin/sh
for each; do file=$each; done
if grep -q BROKEN "$file"; then echo '*** ERROR: FEATURE() should be before MAILER()' >&2; fi
sed 's/^/cf of /' "$file"
echo "Kaccess hash -T<TMPF> $FOLDER/access"
echo "Kmailertable hash $FOLDER/mailertable.db"
"""
MAKEMAP = """#!/bin/sh
[ "$1" = hash ] || exit 64
{ echo built; cat; } >"$2.db"
"""
MAKE = "#!/bin/sh\ncd $FOLDER; echo made; m4 sendmail.mc >sendmail.cf\n"


@pytest.fixture(params=SHELLS)
def mail(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Mail":
    return Mail(request.param, tmp_path, monkeypatch)


class Mail:
    """A folder in the place of /etc/mail, and programs in the place of m4, makemap and make."""

    def __init__(self, shell: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.folder = folder / "mail"
        self.bin = folder / "bin"
        self.folder.mkdir()
        self.bin.mkdir()
        self.program("m4", M4)
        self.program("makemap", MAKEMAP)
        self.program("chown", "#!/bin/sh\n")
        self.program("sendmail", "#!/bin/sh\n[ \"$*\" = '-bv root' ]\n")
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setenv("FOLDER", str(self.folder))

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def write(self, name: str, text: str, *, age: int = 0) -> Path:
        path = self.folder / name
        path.write_text(text)
        past = path.stat().st_mtime - age
        os.utime(path, (past, past))
        return path

    def rebuild(self) -> tuple[int, str]:
        script = rebuild(make_facts()).replace("/etc/mail", str(self.folder))
        result = run(self.shell, f"set -e\n{script}echo after\n")
        assert ("after" in result.stdout) == (result.returncode == 0)
        return result.returncode, result.stderr


@pytest.mark.parametrize(("age", "built"), [(100, True), (0, True), (-100, False)])
def test_a_map_is_built_unless_it_is_surely_younger_than_its_source(
    mail: Mail, age: int, built: bool
) -> None:
    # File systems of whole seconds cannot tell what was written just after the map was built.
    mail.write("sendmail.cf", f"Kaccess hash {mail.folder}/access\n")
    source = mail.write("access", "To:a RELAY\n", age=1000)
    made = mail.write("access.db", "before\n")
    written = int(source.stat().st_mtime)
    os.utime(source, (written, written))
    os.utime(made, (written - age, written - age))
    script = rebuild_maps(make_facts()).replace("/etc/mail", str(mail.folder))
    assert run(mail.shell, f"set -e\n{script}").returncode == 0
    assert (made.read_text() != "before\n") == built


def test_without_make_the_family_way_is_gone_by_hand(mail: Mail) -> None:
    mail.program("make", "#!/bin/sh\nexit 1\n")  # and no Makefile that would call for it
    mail.write("sendmail.mc", "include(`/usr/share/sendmail/cf/m4/cf.m4')\n")
    mail.write("sendmail.cf", "old\n", age=100)
    mail.write("access", "To:a RELAY\n")
    assert mail.rebuild() == (0, "")
    assert (mail.folder / "sendmail.cf").read_text().startswith("cf of include")
    assert (mail.folder / "access.db").read_text() == "built\nTo:a RELAY\n"
    assert not (mail.folder / "mailertable.db").exists()


def test_a_map_that_make_does_not_know_is_built_and_one_that_is_new_enough_is_not(mail: Mail) -> None:
    mail.program("make", MAKE)
    mail.write("Makefile", "")
    mail.write("sendmail.mc", "x\n", age=100)
    mail.write("access", "new\n", age=50)
    mail.write("access.db", "as make built it", age=10)
    mail.write("mailertable", "a\tesmtp:[198.51.100.20]\n")
    stale = mail.write("mailertable.db", "stale", age=100)
    stale.chmod(0o604)
    assert mail.rebuild() == (0, "")
    assert (mail.folder / "access.db").read_text() == "as make built it"
    assert stale.read_text() == "built\na\tesmtp:[198.51.100.20]\n"
    assert stale.stat().st_mode & 0o777 == 0o604
    assert not list(mail.folder.glob("*.migrate*"))


def test_a_faulty_source_is_refused_before_anything_is_made_of_it(mail: Mail) -> None:
    mail.program("make", MAKE)
    mail.write("Makefile", "")
    mail.write("sendmail.mc", "BROKEN\n")
    mail.write("sendmail.cf", "old\n", age=100)
    status, said = mail.rebuild()
    assert status == 1
    assert "should be before MAILER" in said
    assert (mail.folder / "sendmail.cf").read_text() == "old\n"


def test_a_make_that_does_nothing_is_no_rebuild(mail: Mail) -> None:
    mail.program("make", "#!/bin/sh\necho 'sendmail-cf is not installed'\n")
    mail.write("Makefile", "")
    mail.write("sendmail.cf", "old\n", age=100)
    mail.write("sendmail.mc", "x\n")
    status, said = mail.rebuild()
    assert status == 1
    assert "sendmail-cf is not installed" in said
    assert "older than sendmail.mc" in said


@pytest.mark.parametrize(("program", "package"), [("m4", "m4"), ("makemap", "sendmail-bin")])
def test_a_program_that_is_missing_is_named_with_its_package_and_nothing_is_rebuilt(
    mail: Mail, program: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mail.bin / program).unlink()
    for name in (mail.shell, "grep"):
        found = shutil.which(name)
        assert found
        (mail.bin / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(mail.bin))
    mail.write("sendmail.mc", "x\n")
    mail.write("sendmail.cf", "old\n", age=100)
    expected = f"the program {program} is missing: install the package {package} there\n"
    assert mail.rebuild() == (1, expected)
    assert (mail.folder / "sendmail.cf").read_text() == "old\n"


def test_a_sendmail_cf_that_no_daemon_would_start_with_fails(mail: Mail) -> None:
    mail.program("sendmail", "#!/bin/sh\necho 'line 7: unknown option' >&2\nexit 70\n")
    mail.write("sendmail.mc", "include(`/x/cf.m4')\n")
    status, said = mail.rebuild()
    assert status == 1
    assert said == "Sendmail cannot load the new sendmail.cf: line 7: unknown option\n"


def test_an_address_that_leads_nowhere_is_no_fault_of_sendmail_cf(mail: Mail) -> None:
    mail.program("sendmail", "#!/bin/sh\necho 'root... User unknown'\nexit 67\n")
    mail.write("sendmail.mc", "include(`/x/cf.m4')\n")
    assert mail.rebuild() == (0, "")


def test_a_map_that_cannot_be_built_fails_and_leaves_the_one_of_before(mail: Mail) -> None:
    mail.program("makemap", "#!/bin/sh\necho no >&2\nexit 1\n")
    mail.write("sendmail.mc", "include(`/x/cf.m4')\n")
    mail.write("access", "x\n")
    kept = mail.write("access.db", "kept", age=100)
    assert mail.rebuild() == (1, "no\n")
    assert kept.read_text() == "kept"


def test_families_know_their_packages() -> None:
    assert WAYS["debian"].packages["makemap"] == "sendmail-bin"
    assert WAYS["redhat"].packages["ssh"] == "openssh-clients"
    assert service(make_facts(init="other", programs=frozenset()), "stop").startswith(
        "timeout 200 /etc/init.d/sendmail"
    )


@pytest.mark.parametrize(
    ("status", "good"), [(0, True), (67, True), (75, True), (70, False), (71, False), (78, False)]
)
def test_a_configuration_counts_as_loadable_unless_a_daemon_would_end_with_it(
    tmp_path: Path, status: int, good: bool
) -> None:
    (tmp_path / "sendmail").write_text(f"#!/bin/sh\necho what is wrong\nexit {status}\n")
    (tmp_path / "sendmail").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", f"PATH={tmp_path}:$PATH\n{families.loadable()}"], capture_output=True, text=True
    )
    assert (done.returncode == 0) is good
    assert ("what is wrong" in done.stderr) is not good
