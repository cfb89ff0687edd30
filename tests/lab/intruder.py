"""Who has got hold of the run's key tries everything that ssh offers."""

from __future__ import annotations

from tests.lab.lab import Lab

KEY = "/root/.ssh/migrate-lab"
WRAPPER = "/root/.ssh/migrate-lab.sh"
OPTIONS = f"-i {KEY} -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile={KEY}.known_hosts"
REFUSED = "this key only reads the trees of the migration lab"


def tries(lab: Lab) -> dict[str, str]:
    """Return the command line of each try, from the new host; one that succeeds ends with 0."""
    ssh, old = f"ssh {OPTIONS}", f"root@{lab.place.old}"
    asked = "migrate-tree-0 --server --sender -logDtpre.iLsfxCIvu ."
    return {
        "a shell": f"{ssh} {old}",
        "a shell with a terminal": f"{ssh} -tt {old}",
        "a command": f"{ssh} {old} id",
        "a command after the knock": f"{ssh} {old} 'migrate-hello; id'",
        "another path": f"{ssh} {old} '{asked} /etc/'",
        "a path above": f"{ssh} {old} '{asked} ../'",
        "rsync of another path": f"rsync -a -e '{ssh}' {old}:/etc/passwd /tmp/stolen",
        "rsync of a path in a tree's place": (
            f"rsync -a -e '{ssh}' --rsync-path=migrate-tree-0 {old}:/etc/passwd /tmp/stolen"
        ),
        "a rsync that writes": (
            f"rsync -a -e '{ssh}' --rsync-path=migrate-tree-0 /etc/hostname {old}:/var/spool/mail/planted"
        ),
        "a rsync that removes": (
            f"rsync -a -e '{ssh}' --rsync-path=migrate-tree-0 --remove-source-files {old}:. /tmp/stolen/"
        ),
        "scp": f"scp -O {OPTIONS} /etc/hostname {old}:/tmp/planted",
        "scp by sftp": f"scp -s {OPTIONS} {old}:/etc/passwd /tmp/stolen",
        "sftp": f"echo 'get /etc/passwd /tmp/stolen' | sftp {OPTIONS} -b - {old}",
        "a port of the old host": f"{ssh} -W 127.0.0.1:25 {old}",
        "a port on the old host": f"{ssh} -N -o ExitOnForwardFailure=yes -R 12525:127.0.0.1:22 {old}",
        "a tunnel": f"{ssh} -N -o ExitOnForwardFailure=yes -w any:any {old}",
    }


def succeeded(lab: Lab) -> dict[str, str]:
    """Return what each try printed that did not end as refused; nothing where the key holds."""
    found = {}
    code, said = lab.exec("new", "bash", "-c", f"ssh {OPTIONS} root@{lab.place.old} migrate-hello </dev/null")
    assert (code, said) == (0, "migrate-read lab\n"), "the key opens nothing at all, so nothing is proved"
    for name, command in tries(lab).items():
        code, said = lab.exec("new", "timeout", "20", "bash", "-c", f"{command} </dev/null 2>&1")
        if code in (0, 124):
            found[name] = said
    return found


def granted(lab: Lab) -> str:
    """Return what sshd gives to a session of the key that asks for everything, whatever the wrapper allows.

    The wrapper is replaced for that moment by one that tells.
    """
    lab.shell("old", f"cp -p {WRAPPER} /tmp/kept; printf 'env; tty; exit 0\\n' >{WRAPPER}")
    try:
        session, old = f"timeout 20 ssh-agent ssh {OPTIONS} -A", f"root@{lab.place.old} </dev/null 2>&1"
        return lab.shell("new", f"{session} {old}; {session} -tt {old} || true")
    finally:
        lab.shell("old", f"cp -p /tmp/kept {WRAPPER}; rm /tmp/kept")


def from_elsewhere(lab: Lab) -> tuple[int, str]:
    """Return how a knock ends that comes with the right key from another address."""
    for suffix in ("", ".known_hosts"):
        content = lab.shell("new", f"base64 -w0 {KEY}{suffix}")
        lab.shell("dns", f"umask 077; mkdir -p /root/.ssh; base64 -d <<<{content} >{KEY}{suffix}")
    knock = f"timeout 20 ssh {OPTIONS} root@{lab.place.old} migrate-hello </dev/null 2>&1"
    return lab.exec("dns", "bash", "-c", knock)
