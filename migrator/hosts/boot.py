"""Shell text that keeps Sendmail from starting when its host boots, and that puts back exactly what was.

A reboot takes the closing of a port away, and starts what is enabled. Neither way touches what is enabled: a link of
init is renamed where it stands, so that init no longer knows it by its name (`S` and two digits: init-d-script(5),
Debian Policy 9.3), and gets its name back; systemd is given a condition in a file of its own (systemd.unit(5),
ConditionPathExists), which holds for every way in which the unit may be enabled, for units made from a script of
/etc/init.d as well, and is gone with its file. Neither a link that was missing nor a unit that was masked can come of
it. Red Hat's sm-client needs nothing: it only hands its queue to the local port 25.
"""

from __future__ import annotations

HOLD_SHOWN = "keep Sendmail from starting at boot"
RELEASE_SHOWN = "let Sendmail start at boot again, if it did"
"""What these scripts do, for a person."""

_FUNCTIONS = r"""unit=$root/etc/systemd/system/sendmail.service.d
condition=$unit/migrate-@NAME@.conf
links() { # prints the links with this prefix by which init starts Sendmail
    for link in "$root"/etc/rc[0-9S].d/"$1"S[0-9][0-9]sendmail; do
        if [ -L "$link" ]; then echo "$link"; fi
    done
}
reread() { if command -v systemctl >/dev/null 2>&1; then systemctl daemon-reload >&2 || :; fi; }
"""

_HOLD = r"""if [ -d "$root/run/systemd/system" ]; then
    if [ ! -e "$condition" ]; then
        made='was made'
        if [ -d "$unit" ]; then made='was there'; fi
        mkdir -p "$unit"
        printf '%s\n' '[Unit]' '# migrate @NAME@: no mail may come in before the copy is verified.' \
            "# The folder $made." "ConditionPathExists=!$condition" >"$condition.new"
        mv -f "$condition.new" "$condition"
        reread
    fi
else
    links '' | while read -r link; do
        mv -f "$link" "${link%/*}/migrate-@NAME@.${link##*/}" || exit 1
    done
fi
"""

_RELEASE = r"""if [ -e "$condition" ]; then
    made=$(grep -c '^# The folder was made' "$condition" || :)
    rm -f "$condition"
    if [ "$made" != 0 ]; then rmdir "$unit" 2>/dev/null || :; fi
    reread
fi
links 'migrate-@NAME@.' | while read -r link; do
    mv -f "$link" "${link%/*}/${link##*/migrate-@NAME@.}" || exit 1
done
"""

_STARTS = r"""if [ -d "$root/run/systemd/system" ]; then
    if [ ! -e "$condition" ]; then echo sendmail.service; fi
else
    links ''
fi
"""


def hold(name: str, root: str = "") -> str:
    """Given a migration's name, return the sh text after which no boot starts Sendmail. `root` is for tests."""
    return _script(_HOLD, name, root)


def release(name: str, root: str = "") -> str:
    """Return the sh text that takes back what `hold` did, where it did something."""
    return _script(_RELEASE, name, root)


def starts_script(name: str, root: str = "") -> str:
    """Return the inspecting script that prints by what a boot starts Sendmail; nothing: it does not."""
    return _script(_STARTS, name, root)


def _script(text: str, name: str, root: str) -> str:
    return f"(\nset -e\nroot={root}\n{(_FUNCTIONS + text).replace('@NAME@', name)})\n"
