"""The smart host and the login there: what is written, what is shown, and what no journal holds."""

from __future__ import annotations

from typing import Any

import pytest

from migrator.change import FileEdit, Shell, Undo, Upload
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.journal import encode
from migrator.secret import MASK, Secret
from migrator.toolbox.smarthost import AUTHINFO, PROBE, Login, Smarthost
from tests.toolbox.configured import ACCESS, MC, Configured, uploads

LOGIN = Login("shop", Secret("s3cret-word"))


def tool(server: str = "smtp.provider.test", **options: Any) -> Smarthost:
    return Smarthost("new", server, **{"login": LOGIN, **options})


@pytest.fixture
def stand() -> Configured:
    stand = Configured()
    stand.host.on(
        r"sendmail -bv", f"{PROBE}... deliverable: mailer esmtp, host migrate.invalid, user {PROBE}\n"
    )
    return stand


def perform(stand: Configured, one: Smarthost) -> list[str]:
    """Do what a tool yields with its own executor, and return the summaries."""
    executor, done = one.executor(stand.executor), []
    for change in one.changes(stand.context()):
        executor.execute(change.do)
        done.append(change.summary)
    return done


def test_everything_stands_in_one_change(stand: Configured) -> None:
    assert perform(stand, tool()) == ["relay by smtp.provider.test"]
    text = stand.text(MC)
    assert "define(`SMART_HOST', `[smtp.provider.test]')dnl" in text
    assert "define(`RELAY_MAILER_ARGS', `TCP $h 587')dnl" in text
    assert "FEATURE(`authinfo', `hash -o /etc/mail/authinfo')dnl" in text
    assert stand.text(AUTHINFO) == 'AuthInfo:smtp.provider.test\t"U:shop" "P:s3cret-word" "M:PLAIN"\n'
    assert "TLS_Srv:smtp.provider.test\tENCR:112" in stand.text(ACCESS)
    assert stand.look(tool()) == []


def test_the_password_is_in_no_change(stand: Configured) -> None:
    stand.host.files[AUTHINFO] = b'AuthInfo:other.test "U:us" "P:of-before"\n'
    (change,) = stand.look(tool())
    do, undo = uploads(change)
    shown = "".join(str(edit.before) + str(edit.after) for one in (do, undo) for edit in one.files)
    for text in (shown, str(encode(change)), do.then, undo.then):
        assert "s3cret-word" not in text
        assert "of-before" not in text
    (edit,) = [edit for edit in do.files if edit.path == AUTHINFO]
    assert MASK.encode() in (edit.after or b"")
    assert (edit.mode, edit.owner, edit.check) == ("0640", "root:smmsp", False)


def test_the_file_of_before_is_kept_on_the_host_for_the_undo(stand: Configured) -> None:
    do, undo = uploads(stand.look(tool())[0])
    assert AUTHINFO not in [edit.path for edit in undo.files]
    number = [edit.path for edit in do.files].index(AUTHINFO)
    assert f'keep "$work/old.{number}" {AUTHINFO}.before-' in do.then
    assert f"restore_kept {AUTHINFO} {AUTHINFO}.before-" in undo.then
    assert f"rm -f {AUTHINFO}.before-" in (do.otherwise or "")


def test_another_password_alone_is_a_change(stand: Configured) -> None:
    perform(stand, tool())
    (change,) = stand.look(tool(login=Login("shop", Secret("another-word"))))
    assert [edit.path for edit in uploads(change)[0].files] == [AUTHINFO]
    other = tool(login=Login("shop", Secret("another-word")))
    perform(stand, other)
    assert '"P:another-word"' in stand.text(AUTHINFO)
    assert stand.text(AUTHINFO).count("\n") == 1


def test_without_a_login_no_file_of_logins_is_made(stand: Configured) -> None:
    perform(stand, tool(login=None, port=25, secure=False))
    assert AUTHINFO not in stand.host.files
    assert "authinfo" not in stand.text(MC)
    assert "RELAY_MAILER_ARGS" not in stand.text(MC)
    assert "TLS_Srv" not in stand.text(ACCESS)


def test_a_message_is_sent_where_one_is_wanted(stand: Configured) -> None:
    changes = stand.look(tool(test="someone@elsewhere.test"))
    last = changes[-1]
    assert isinstance(last.do, Shell)
    assert last.undo is Undo.NOT_NEEDED
    assert "sendmail -Am -v -odi someone@elsewhere.test" in last.do.script
    assert "grep -v '^>>>'" in last.do.script, "the dialogue holds the password in base64"


def test_a_missing_library_is_told_with_its_package(stand: Configured) -> None:
    stand.host.on(r"SASLv2", "SASLv2\nsasldb\n")
    with pytest.raises(Refused) as refused:
        tool().ready(stand.context())
    assert "plain" in (refused.value.seen or "")
    assert "libsasl2-modules" in (refused.value.advice or "")
    stand.host.on(r"SASLv2", "SASLv2\nplain\n")
    tool().ready(stand.context())


def test_mail_that_goes_elsewhere_is_a_failure(stand: Configured) -> None:
    with pytest.raises(VerifyFailed, match="does not go to the smart host"):
        tool().verify(stand.context())


def test_a_login_that_everybody_reads_is_a_failure(stand: Configured) -> None:
    route = f"{PROBE}... deliverable: mailer relay, host [smtp.provider.test], user {PROBE}\n"
    stand.host.on(r"sendmail -bv", route)
    stand.host.on(r"stat -c", f"640 root:smmsp {AUTHINFO}\n644 root:smmsp {AUTHINFO}.db\n")
    with pytest.raises(VerifyFailed, match="can be read by everybody"):
        tool().verify(stand.context())
    stand.host.on(r"stat -c", f"640 root:smmsp {AUTHINFO}\n640 root:smmsp {AUTHINFO}.db\n")
    tool().verify(stand.context())


@pytest.mark.parametrize("server", ["", "a b", "x'y.test", "-x", "$(id)", "a;b.test"])
def test_what_is_no_server_is_refused(server: str) -> None:
    with pytest.raises(UsageError):
        tool(server)


@pytest.mark.parametrize("options", [{"port": 0}, {"port": 70000}, {"test": "a b@c.test"}, {"test": "-x"}])
def test_what_is_no_port_and_no_address_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tool(**options)


def test_only_the_file_of_logins_is_revealed(stand: Configured) -> None:
    one = tool()
    stand.look(one)
    seen: list[FileEdit] = []

    class Inner:
        def execute(self, command: object) -> bool:
            assert isinstance(command, Upload)
            seen.extend(command.files)
            return True

        def check(self, probe: object) -> str:
            return ""

    edits = (FileEdit(MC, b"a", b"b"), FileEdit(AUTHINFO, None, b"masked"))
    one.executor(Inner()).execute(Upload("new", edits))
    assert seen[0] == edits[0]
    assert b"s3cret-word" in (seen[1].after or b"")


def test_a_change_that_was_planned_before_is_performed_with_the_password(stand: Configured) -> None:
    (planned,) = stand.look(tool())
    stand.host.on(r"SASLv2", "SASLv2\nplain\n")
    later = tool()
    later.ready(stand.context())
    later.executor(stand.executor).execute(planned.do)
    assert "s3cret-word" in stand.text(AUTHINFO)


def test_without_the_password_nothing_is_written(stand: Configured) -> None:
    (planned,) = stand.look(tool())
    with pytest.raises(Refused, match="password is not known"):
        tool().executor(stand.executor).execute(planned.do)
    assert AUTHINFO not in stand.host.files


@pytest.mark.parametrize(
    "value", ["VERIFY", "PERM+VERIFY:128", "ENCR:256", "TEMP+ENCR:112", "VERIFY:112+CN:smtp.x"]
)
def test_a_requirement_that_asks_for_more_is_not_weakened(stand: Configured, value: str) -> None:
    stand.host.files[ACCESS] = f"TLS_Srv:smtp.provider.test\t{value}\n".encode()
    stand.perform(Smarthost("new", "smtp.provider.test"))
    assert stand.text(ACCESS) == f"TLS_Srv:smtp.provider.test\t{value}\n"


@pytest.mark.parametrize("value", ["ENCR:40", "ENCR:0", "", "what"])
def test_a_requirement_that_asks_for_less_is_replaced(stand: Configured, value: str) -> None:
    stand.host.files[ACCESS] = f"TLS_Srv:smtp.provider.test\t{value}\n".encode()
    stand.perform(Smarthost("new", "smtp.provider.test"))
    assert stand.text(ACCESS) == "TLS_Srv:smtp.provider.test\tENCR:112\n"
