"""What a sendmail.cf declares is found, whatever else stands in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import cf
from migrator.sendmail.cf import ClassFile, DaemonPort, MapDeclaration

CF = """\
V10/Berkeley
# Fw/etc/mail/commented-out
Cwlocalhost
C{w}old.example.test other.test
Fw-o /etc/mail/local-host-names %[^\\#]
FR/etc/mail/relay-domains
F{VirtHost}/etc/mail/virtuser-domains
Dj$w.example.test
D{mine}a b
Kmailertable hash -o /etc/mail/mailertable
Kaccess hash -o -T<TMPF> /etc/mail/access
Karith arith
Kblock regex -a@MATCH ^[0-9]+$
O QueueDirectory=/var/spool/mqueue/q*
O HostStatusDirectory=.hoststat
O DaemonPortOptions=Family=inet,  Name=MTA-v4, Port=smtp, Addr=127.0.0.1
O DaemonPortOptions=Name=MSA, Port=587, M=Ea, Family=inet6
O PrivacyOptions=authwarnings,needmailhelo
O MaxMessageSize=10485760
#O PidFile=/run/commented
O PidFile=/run/sendmail.pid   # trailing
Mlocal,\t\tP=/usr/bin/procmail, F=lsDFMAw5:/|@qSPfhn9,
\t\tS=EnvFromL/HdrFromL, A=procmail -Y -a $h -d $u
Mesmtp,\t\tP=[IPC], F=mDFMuXak, E=\\r\\n
R$* $=w\t\t$#local $: $1\tcomment
"""


def test_maps_are_found_with_type_options_and_path() -> None:
    read = cf.parse(CF)
    assert read.map("mailertable") == MapDeclaration("mailertable", "hash", ("-o",), "/etc/mail/mailertable")
    assert read.map("access") == MapDeclaration("access", "hash", ("-o", "-T<TMPF>"), "/etc/mail/access")
    assert read.map("arith") == MapDeclaration("arith", "arith", (), "")
    assert read.map("virtuser") is None


def test_class_files_are_found_with_their_pattern() -> None:
    read = cf.parse(CF)
    assert read.files_of_class("w") == (ClassFile("w", "/etc/mail/local-host-names", True, "%[^#]"),)
    assert read.files_of_class("R") == (ClassFile("R", "/etc/mail/relay-domains", False, "%s"),)
    assert read.files_of_class("VirtHost")[0].path == "/etc/mail/virtuser-domains"


def test_words_of_one_class_add_up_under_both_ways_to_write_it() -> None:
    assert cf.parse(CF).classes["w"] == ("localhost", "old.example.test", "other.test")


def test_macros_keep_what_they_refer_to() -> None:
    read = cf.parse(CF)
    assert read.macros["j"] == "$w.example.test"
    assert read.macros["mine"] == "a b"


def test_options_are_found_by_name_in_any_case() -> None:
    read = cf.parse(CF)
    assert read.queue_directory == "/var/spool/mqueue/q*"
    assert read.host_status_directory == ".hoststat"
    assert read.option("pidfile") == "/run/sendmail.pid"
    assert read.max_message_size == 10485760
    assert read.privacy == {"authwarnings", "needmailhelo"}


def test_every_daemon_port_is_found_with_the_defaults_of_the_guide() -> None:
    assert cf.parse(CF).daemon_ports == (
        DaemonPort("MTA-v4", "smtp", "127.0.0.1", "inet", ""),
        DaemonPort("MSA", "587", "", "inet6", "Ea"),
    )
    assert cf.parse("").daemon_ports == (DaemonPort("", "smtp", "", "inet", ""),)


def test_a_mailer_goes_on_over_its_continuation() -> None:
    read = cf.parse(CF)
    local = read.mailer("local")
    esmtp = read.mailer("esmtp")
    assert local is not None
    assert local.fields["P"] == "/usr/bin/procmail"
    assert local.fields["A"] == "procmail -Y -a $h -d $u"
    assert esmtp is not None
    assert "k" in esmtp.fields["F"]


def test_old_one_letter_options_are_known_by_their_long_names() -> None:
    assert cf.parse("OQ/var/spool/mqueue\n").option("QueueDirectory") == "/var/spool/mqueue"


def test_what_is_not_set_has_the_default_of_the_guide() -> None:
    read = cf.parse("")
    assert read.queue_directory == "/var/spool/mqueue"
    assert read.max_message_size == 0
    assert read.host_status_directory is None


@given(st.lists(st.sampled_from([*"OKFMDC{}=,#\\ \n\t-ow", "Addr"]) | st.characters()).map("".join))
def test_any_text_is_read(text: str) -> None:
    read = cf.parse(text)
    assert read.daemon_ports
    assert read.max_message_size >= 0


def test_every_queue_is_found_those_of_queue_groups_too() -> None:
    text = "O QueueDirectory=/var/spool/mqueue\nQslow, Path=/var/spool/slow*, Interval=2h\nQplain, I=1h\n"
    assert cf.parse(text).queue_directories == ("/var/spool/mqueue", "/var/spool/slow*")


@pytest.mark.parametrize(
    ("default", "base"),
    [("/srv/queue", "/srv/queue"), ("/srv/queue/q*", "/srv/queue"), ("", "/var/spool/mqueue")],
)
def test_a_queue_group_may_name_its_folder_below_the_default_one(default: str, base: str) -> None:
    option = f"O QueueDirectory={default}\n" if default else ""
    found = cf.parse(f"{option}Qslow, Path=slow*, F=f\nQown, P=/srv/own\n").queue_directories
    assert found[1:] == (f"{base}/slow*", "/srv/own")
