"""Control files of the queue as several versions of Sendmail write them (the comment above QF_VERSION in queue.c)."""

from __future__ import annotations

OLDEST = """\
P30000
T1794873600
DdfAA00123
MDeferred: Connection timed out with mx.else.example
SOwner@Example.TEST
Epostmaster
Rfriend@else.example
Ruser01
H?P?return-path: <Owner@Example.TEST>
HSubject: S<forged@else.example>
"""
"""Sendmail 8.6 and before: no version, no flags of recipients, no end."""

VERSION_1 = """\
V1
T1794873600
K1794877200
N2
P30000
I8/1/77
MDeferred: Connection refused by mx.else.example.
Fb
$rESMTP
$sclient.example
Sowner@example.test
RPFD:friend@else.example
H?P?Return-Path: owner@example.test
"""
"""Sendmail 8.7 to 8.7.5: flags before a recipient, and a number of tries."""

VERSION_2 = VERSION_1.replace("V1\n", "V2\n")
"""Sendmail 8.7.6 to 8.9.3."""

VERSION_4 = """\
V4
T1794873600
K1794877200
N2
P30000
I8/1/77
MDeferred: Connection refused by mx.else.example.
Fbs
$_client.example [203.0.113.7]
$rESMTP
${daemon_flags}
Sowner@example.test
MDeferred: Name server: else.example.: host name lookup failure
rRFC822; friend@else.example
RPFD:friend@else.example
H?P?Return-Path: <owner@example.test>
H??Subject: many
.
"""
"""Sendmail 8.10 and 8.11: a reason for each recipient, headers with empty flags, an end."""

VERSION_5 = VERSION_4.replace("V4\n", "V5\nG1\nY1800\n")
"""The same with a delay of its own between tries."""

VERSION_6 = """\
V6
T1794873600
K1794877200
N2
P30000
I8/1/77
d/var/spool/mqueue/df
MDeferred: Connection refused by mx.else.example.
Fwbs
$_client.example [203.0.113.7]
${daemon_flags}
${if_addr}198.51.100.10
S<owner@example.test>
Aowner@example.test
QRFC822;friend@else.example
rRFC822; friend@else.example
RPFD:<friend@else.example>
H?P?Return-Path: <owner@example.test>
H??Received: from client.example
\tby old.example.test
.
"""
"""Sendmail 8.12: where the body is, and angle brackets around addresses."""

VERSION_7 = VERSION_6.replace("V6\n", "V7\nG1\nY1800\n")
"""The same with a delay of its own between tries."""

VERSION_8 = VERSION_6.replace("V6\n", "V8\n").replace("Fwbs\n", "Fwbs\nqheld for the postmaster\n")
"""Sendmail 8.13 and later: messages can be quarantined."""

WITH_VERSION = {
    1: VERSION_1,
    2: VERSION_2,
    4: VERSION_4,
    5: VERSION_5,
    6: VERSION_6,
    7: VERSION_7,
    8: VERSION_8,
}
