"""Sendmail's files are kept once for each state they are in, and put back byte for byte."""

from __future__ import annotations

import base64
import hashlib
from pathlib import PurePosixPath

import pytest

from migrator.change import Shell, Undo, Upload
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.toolbox.archive import DIGESTS
from migrator.toolbox.backup import Backup, files
from migrator.toolbox.restore import Restore
from tests.toolbox.stand import CF, Stand
from tests.toolbox.test_archive import packed

KEPT = {
    "etc/mail/sendmail.mc": b"dnl mine\n",
    "etc/mail/sendmail.cf": CF.encode(),
    "etc/mail/access": b"Connect:192.0.2.7\tOK\n",
    "etc/mail/access.db": b"\0map of then",
    "etc/aliases": b"root: admin\n",
    "etc/mail/aliases.db": b"\0aliases of then",
}
NEWEST = "/var/backups/migrate/sendmail-20261129T120000Z.tar"


class Host(Stand):
    """A host whose archives are in memory; `tar` adds one of the files as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.archives: dict[str, bytes] = {}
        self.host.files = {f"/{name}": content for name, content in KEPT.items()}
        self.host.on(
            "^ls -1", lambda _host, _text: "\n".join(PurePosixPath(one).name for one in self.archives)
        )
        self.host.on("^base64", lambda _host, text: self._encoded(text))
        self.host.on("sha256sum -- ", lambda _host, _text: self._sums())
        self.host.on("tar -cf", lambda _host, _text: self._made())

    def _encoded(self, text: str) -> str:
        return base64.encodebytes(self.archives[text.partition("<")[2]]).decode()

    def _sums(self) -> str:
        return "".join(
            f"{hashlib.sha256(content).hexdigest()}  {path[1:]}\n"
            for path, content in self.host.files.items()
        )

    def _made(self) -> str:
        self.archives[NEWEST] = packed({path[1:]: content for path, content in self.host.files.items()})
        return ""


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_copy_is_dated_and_one_is_enough_while_nothing_changes(host: Host) -> None:
    tool = Backup("new")
    (change,) = host.perform(tool)
    assert change.summary == f"keep Sendmail's files of the new host in {NEWEST}"
    assert change.undo is Undo.NOT_NEEDED
    tool.verify(host.context())
    assert host.look(tool) == []
    assert host.measured(tool) == {"newest copy": NEWEST, "since then": "no change"}
    host.host.files["/etc/mail/access"] = b"other\n"
    assert host.measured(tool)["since then"] == "1 files changed: /etc/mail/access"
    assert len(host.look(tool)) == 1


def test_a_copy_that_was_damaged_is_made_again(host: Host) -> None:
    host.perform(Backup("new"))
    host.archives[NEWEST] = host.archives[NEWEST].replace(b"dnl mine", b"dnl your")
    with pytest.raises(VerifyFailed, match="does not hold"):
        Backup("new").verify(host.context())
    assert len(host.look(Backup("new"))) == 1


def test_everything_that_the_configuration_names_is_kept(host: Host) -> None:
    (change,) = host.look(Backup("new"))
    assert isinstance(change.do, Shell)
    kept = files(host.world.facts["new"])
    for path in (
        *(
            "/etc/mail/sendmail.mc",
            "/etc/mail/sendmail.cf",
            "/etc/mail/access",
            "/etc/mail/access.db",
            "/etc/aliases",
        ),
        *(
            "/etc/mail/submit.cf",
            "/etc/mail/virtusertable",
            "/etc/mail/virtusertable.db",
            "/etc/mail/local-host-names",
        ),
    ):
        assert path in kept
        assert f" {path} " in f"{change.do.script} "


@pytest.mark.parametrize("folder", ["", "relative", "/a/../b", "/a\nb"])
def test_a_folder_is_absolute(folder: str) -> None:
    with pytest.raises(UsageError):
        Backup("new", folder=folder)


def test_files_are_put_back_and_maps_are_built_from_them(host: Host) -> None:
    host.perform(Backup("new"))
    before = dict(host.host.files)
    host.host.files["/etc/mail/access"] = b"spoilt\n"
    host.host.files["/etc/mail/access.db"] = b"\0map of now"
    del host.host.files["/etc/aliases"]
    spoilt = dict(host.host.files)
    tool = Restore("new")
    tool.ready(host.context())
    assert host.measured(tool)["differ"] == "/etc/mail/access, /etc/aliases"
    (change,) = done = host.perform(tool)
    assert isinstance(change.do, Upload)
    assert host.host.files == {**before, "/etc/mail/access.db": b"\0map of now"}
    assert {edit.path: edit.mode for edit in change.do.files} == {
        "/etc/aliases": "0640",
        "/etc/mail/access": "0640",
    }
    assert "touch /etc/mail/sendmail.cf\n" in change.do.then
    assert "newaliases" in change.do.then
    tool.verify(host.context())
    assert host.look(Restore("new")) == []
    host.undo(done)
    assert host.host.files == spoilt


def test_an_archive_of_the_operators_machine_is_put_back_too(host: Host) -> None:
    data = packed({**KEPT, "etc/mail/access": b"given\n"})
    (change,) = host.perform(Restore("new", data=data))
    assert host.host.files["/etc/mail/access"] == b"given\n"
    assert isinstance(change.do, Upload)
    assert "newaliases" not in change.do.then


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(KEPT).replace(b"root: admin", b"root: other"), "not to be trusted"),
        (packed({"etc/aliases": b"x"}), "no configuration"),
        (packed({"etc/cron.d/job": b"x", **KEPT}), "none of Sendmail's"),
        (b"no tar", "not to be trusted"),
    ],
)
def test_an_archive_that_is_not_what_it_says_is_refused(host: Host, data: bytes, words: str) -> None:
    with pytest.raises(Refused) as caught:
        Restore("new", data=data).ready(host.context())
    assert words in f"{caught.value.message} {caught.value.seen}"
    assert DIGESTS.encode() in packed(KEPT)


def test_without_a_copy_nothing_is_put_back(host: Host) -> None:
    with pytest.raises(Refused, match="there is no copy"):
        Restore("new").ready(host.context())


def test_a_file_that_is_not_as_it_was_put_back_is_told(host: Host) -> None:
    tool = Restore("new", data=packed({**KEPT, "etc/mail/access": b"given\n"}))
    with pytest.raises(VerifyFailed):
        tool.verify(host.context())


def test_a_password_of_a_map_is_in_no_change(host: Host) -> None:
    login = b'AuthInfo:relay.example "U:me" "P:hush" "M:PLAIN"\n'
    tool = Restore("new", data=packed({**KEPT, "etc/mail/authinfo": login}))
    before = dict(host.host.files)
    (change,) = host.look(tool)
    assert "hush" not in repr(change)
    live = tool.executor(host.executor)
    live.execute(change.do)
    assert host.host.files == {**before, "/etc/mail/authinfo": login}


def edited_map(stands: str, made: str) -> str:
    mark = f"migrate-derived-{'0' * 32}"
    head = f"\n{mark} stands - - -\n{stands}\n\n{mark} made - - -\n{made}\n"
    return f"{head}\n{mark} map due /etc/mail/access.db /etc/mail/access\n"


def test_entries_that_only_a_map_has_are_not_dropped_by_a_restore(host: Host) -> None:
    tool = Restore("new", data=packed({**KEPT, "etc/mail/access": b"Given\tOK\n"}))
    host.host.on("migrate-derived-", edited_map("by.hand\tRELAY", "spoilt\tOK"))
    with pytest.raises(Refused) as refused:
        host.look(tool)
    assert refused.value.lifted_by == "edited-maps"
    # What the archive brings, and what only the text of now has, is no loss.
    host.host.on("migrate-derived-", edited_map("given\tOK", "spoilt\tOK"))
    assert len(host.look(tool)) == 1
