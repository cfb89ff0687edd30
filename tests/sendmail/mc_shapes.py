"""Small .mc files in the shapes that the distributions ship."""

from __future__ import annotations

DEBIAN = """\
divert(-1)dnl
#-----
# If you modify this file, you'll have to regenerate sendmail.cf; see `make -C /etc/mail'
#-----
divert(0)dnl
#
define(`_USE_ETC_MAIL_')dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
VERSIONID(`$Id: sendmail.mc, v 8.17.1.9-2 cowboy Exp $')
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
dnl # Items controlled by /etc/mail/sendmail.conf - DO NOT TOUCH HERE
dnl undefine(`confHOST_STATUS_DIRECTORY')dnl        #DAEMON_HOSTSTATS=
dnl #   define(`confSAFE_FILE_ENV',             `')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Family=inet,  Name=MTA-v4, Port=smtp, Addr=127.0.0.1')dnl
define(`confPRIVACY_FLAGS',dnl
`needmailhelo,needexpnhelo,authwarnings')dnl
FEATURE(`use_cw_file')dnl
FEATURE(`access_db', , `skip')dnl
FEATURE(`greet_pause', `1000')dnl 1 seconds
dnl #
include(`/etc/mail/m4/dialup.m4')dnl
dnl # Default Mailer setup
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl

"""

RED_HAT = """\
divert(-1)dnl
dnl #
dnl # This is the sendmail macro config file for m4. If you make changes to
dnl # /etc/mail/sendmail.mc, you'll need to regenerate the file
include(`/usr/share/sendmail-cf/m4/cf.m4')dnl
VERSIONID(`setup for linux')dnl
OSTYPE(`linux')dnl
dnl define(`SMART_HOST', `smtp.your.provider')dnl
define(`confDEF_USER_ID', ``8:12'')dnl
FEATURE(`no_default_msa', `dnl')dnl
dnl FEATURE(`mailertable', `hash -o /etc/mail/mailertable.db')dnl
FEATURE(`virtusertable', `hash -o /etc/mail/virtusertable.db')dnl
FEATURE(use_cw_file)dnl
EXPOSED_USER(`root')dnl
LOCAL_DOMAIN(`localhost.localdomain')dnl
MAILER(smtp)dnl
MAILER(procmail)dnl
dnl MAILER(cyrusv2)dnl
"""

FREEBSD = """\
divert(-1)
#
#  This is a generic configuration file for FreeBSD 6.X and later systems.
#  Don't edit it: copy it to a name appropriate for your environment.
#
divert(0)
VERSIONID(`$FreeBSD$')
OSTYPE(freebsd6)
DOMAIN(generic)

FEATURE(access_db, `hash -o -T<TMPF> /etc/mail/access')
FEATURE(mailertable, `hash -o /etc/mail/mailertable')

dnl Uncomment to allow relaying based on your MX records.
dnl FEATURE(relay_based_on_MX)

define(`confCW_FILE', `-o /etc/mail/local-host-names')
MAILER(local)
MAILER(smtp)
LOCAL_RULESETS
Scheck_it
R$* <@ $+ >	$: $(dequote $1 $)	it's `quoted' (not a call
"""

SHAPES = (DEBIAN, RED_HAT, FREEBSD)
