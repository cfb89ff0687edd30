"""The operator's own program for DNS changes, as `update = "command"` calls it.

Arguments: the name server and the file of its TSIG secret, from the plan; then a name and, for each type of
record, the type, the TTL in seconds, and the addresses separated by commas ("-" for none).
"""

from __future__ import annotations

import sys
from pathlib import Path

import dns.name
import dns.query
import dns.rcode
import dns.resolver
import dns.tsig
import dns.update


def main(server: str, key_file: str, name: str, *records: str) -> int:
    """Make the name's records these, in one signed update; return 0, or 1 where the server refuses."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [server]
    zone = dns.resolver.zone_for_name(name, resolver=resolver)
    secret = Path(key_file).read_text().strip()
    update = dns.update.UpdateMessage(zone, keyring=dns.tsig.Key("lab.", secret, "hmac-sha256"))
    owner = dns.name.from_text(name)
    for rdtype, ttl, addresses in zip(records[::3], records[1::3], records[2::3], strict=True):
        update.delete(owner, rdtype)
        for address in addresses.replace("-", "").split(","):
            if address:
                update.add(owner, int(ttl), rdtype, address)
    code = dns.query.tcp(update, server, timeout=10).rcode()
    if code != dns.rcode.NOERROR:
        sys.stderr.write(f"{server} refused the update of {name}: {dns.rcode.to_text(code)}\n")
    return int(code != dns.rcode.NOERROR)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
