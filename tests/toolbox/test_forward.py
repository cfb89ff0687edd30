"""A .forward is written so that Sendmail follows it, or refused with the reason."""

from __future__ import annotations

import base64
import re

import pytest

from migrator.change import Shell
from migrator.errors import Refused, VerifyFailed
from migrator.sendmail.text_error import TextError
from migrator.toolbox.forward import Forward
from tests.toolbox.stand import Stand

PATH = "/home/user01/.forward"
PERMISSIONS = {
    "/": (0o040755, 0, 0),
    "/home": (0o040755, 0, 0),
    "/home/user01": (0o040755, 1002, 1002),
}


class Home(Stand):
    """A host with two users, of whom the first is about to forward mail."""

    def __init__(self) -> None:
        super().__init__("user01", "user02")
        self.permissions = dict(PERMISSIONS)
        self.host.files["/etc/mail/aliases"] = b"team: user01, user02\noffice: user02\n"
        self.host.on(r"%f %u %g", lambda _host, _text: self._listed())
        self.host.on(r"sendmail -bt", _TEST_MODE)
        self.host.on(r"^set -e\nif command -v setpriv", self._write)
        self.host.on(r"sendmail -bv user01$", lambda host, _text: _verified(host.files.get(PATH)))

    def _write(self, _host: object, text: str) -> str:
        """Do what the first write of a script does; the proof is the lab's."""
        deed = text.partition("</dev/null")[0]
        content = re.search(r"printf %s (\S+) \| base64 -d", deed.replace("'\"'\"'", ""))
        if content:
            self.host.files[PATH] = base64.b64decode(content[1])
        else:
            del self.host.files[PATH]
        return ""

    def _listed(self) -> str:
        present = dict(self.permissions)
        if PATH in self.host.files:
            present.setdefault(PATH, (0o100644, 1002, 1002))
        rows = (f"{mode:x} {owner} {group} {path}" for path, (mode, owner, group) in present.items())
        return "".join(f"{row}\0" for row in rows) + "\0"


def _verified(content: bytes | None) -> str:
    targets = (content or b"\\user01\n").decode().split()
    return "".join(
        f"{one}... deliverable: mailer esmtp, host x, user {one}\n"
        if "@" in one
        else f"{one.removeprefix(chr(92))}... deliverable: mailer local, user {one}\n"
        for one in targets
    )


def _TEST_MODE(_host: object, text: str) -> str:  # noqa: N802 - an answer like the others
    mark = "====migrate====\n"
    return f"{mark}example.test\nlocalhost\n{mark}"


@pytest.fixture
def home() -> Home:
    return Home()


def tool(*to: str, keep: bool = False) -> Forward:
    return Forward("new", "user01", to or ("a@else.example",), keep=keep)


def refusal(home: Home, wish: Forward) -> str:
    with pytest.raises(Refused) as caught:
        wish.ready(home.context())
    return f"{caught.value.message} | {caught.value.seen}"


def test_the_file_belongs_to_its_user_and_is_proven_by_sendmail(home: Home) -> None:
    wish = tool("a@else.example", "user02", keep=True)
    wish.ready(home.context())
    (change,) = home.perform(wish)
    assert isinstance(change.do, Shell)
    assert "setpriv --reuid=1002 --regid=1002 --clear-groups" in change.do.script
    assert "+a@else.example" in change.do.shown
    assert home.host.files[PATH] == b"\\user01\na@else.example\nuser02\n"
    assert "grep -qiF 'a@else.example... deliverable'" in change.do.script
    assert "user02... deliverable" not in change.do.script  # user02 may have a .forward of its own
    wish.verify(home.context())
    assert home.look(wish) == []
    home.undo([change])
    assert PATH not in home.host.files


def test_a_file_of_before_comes_back_with_its_mode(home: Home) -> None:
    home.host.files[PATH] = b"# mine\nold@else.example\n"
    home.permissions[PATH] = (0o100600, 1002, 1005)
    (change,) = home.perform(tool())
    assert isinstance(change.undo, Shell)
    assert "chmod 0600" in change.undo.script
    assert "chgrp 1005" in change.undo.script
    home.undo([change])
    assert home.host.files[PATH] == b"# mine\nold@else.example\n"


def test_a_file_that_others_may_write_to_is_mended_though_its_text_is_right(home: Home) -> None:
    home.host.files[PATH] = b"a@else.example\n"
    assert home.look(tool()) == []
    home.permissions[PATH] = (0o100664, 1002, 1002)
    (change,) = home.look(tool())
    assert isinstance(change.do, Shell)
    assert "chmod 0644" in change.do.script


def test_a_way_back_over_aliases_and_other_forwards_is_refused(home: Home) -> None:
    home.host.files["/home/user02/.forward"] = b"User01@Example.Test\n"
    assert "user01 -> user02 -> user01" in refusal(home, tool("user02"))
    assert "user01 -> office -> user02 -> user01" in refusal(home, tool("office@localhost"))
    assert "user01 -> team -> user01" in refusal(home, tool("team"))
    assert "user01 -> user01" in refusal(home, tool("user01"))
    home.host.files["/home/user02/.forward"] = b"\\user02, user01@else.example\n"
    tool("user02", keep=True).ready(home.context())


@pytest.mark.parametrize(
    ("path", "mode", "words"),
    [
        ("/home/user01", 0o040757, "everybody may write to"),
        ("/home", 0o040777, "everybody may write to"),
    ],
)
def test_a_folder_that_makes_sendmail_ignore_the_file_is_refused(
    home: Home, path: str, mode: int, words: str
) -> None:
    home.permissions[path] = (mode, PERMISSIONS[path][1], 0)
    assert words in refusal(home, tool())


def test_what_dont_blame_sendmail_allows_is_no_reason(home: Home) -> None:
    home.permissions["/home/user01"] = (0o040775, 1002, 1002)
    tool().ready(home.context())
    home.facts(cf=home.world.facts["new"].cf.replace(",ForwardFileInGroupWritableDirPath", "safe"))
    assert "its group may write to" in refusal(home, tool())


def test_a_file_that_sendmail_does_not_look_for_is_refused(home: Home) -> None:
    home.host.files["/home/user01/.forward.mail"] = b"first@else.example\n"
    assert "/home/user01/.forward.mail is there" in refusal(home, tool())
    del home.host.files["/home/user01/.forward.mail"]
    home.facts(cf="O ForwardPath=/var/forward/$u\nO AliasFile=/etc/mail/aliases\n")
    assert "ForwardPath=/var/forward/$u" in refusal(home, tool())


def test_a_link_an_alias_and_a_name_without_account_are_refused(home: Home) -> None:
    home.permissions[PATH] = (0o120777, 1002, 1002)
    assert "is no plain file" in refusal(home, tool())
    home.permissions[PATH] = (0o100644, 0, 0)
    assert "belongs to somebody else" in refusal(home, tool())
    assert "is an alias" in refusal(home, Forward("new", "office", ("a@else.example",)))
    assert "no account" in refusal(home, Forward("new", "nobody", ("a@else.example",)))


def test_mail_that_sendmail_would_not_send_on_fails_the_proof(home: Home) -> None:
    home.host.files[PATH] = b"a@else.example\n"
    home.host.on(r"sendmail -bv user01$", "user01... deliverable: mailer local, user user01\n")
    with pytest.raises(VerifyFailed):
        tool().verify(home.context())


def test_no_program_and_no_file_is_written_into_a_forward() -> None:
    with pytest.raises(TextError):
        tool("|/bin/sh")
