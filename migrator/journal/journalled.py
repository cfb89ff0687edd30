"""The plan that a rollback goes by: the one of the journal, and of today's only how this machine gets in."""

from __future__ import annotations

from dataclasses import replace

from migrator.errors import Refused
from migrator.journal.state import State
from migrator.plan import DnsPlan, HostPlan, Plan
from migrator.plan.whole import unflatten


def journalled(today: Plan, state: State) -> Plan:
    """Given the plan as its file is now, and the state, return the plan by which all was done that is to be undone.

    Where this machine keeps keys and passwords may have changed since, so that is today's, for a server that is still
    the same: identity_file, known_hosts and host_key of a host with the same `ssh`, and the TSIG key of the same
    dns.rfc2136.server. Raises Refused where the journal's plan cannot be read.
    """
    if not state.plan or state.plan == today.flatten():
        return today
    try:
        held = unflatten(state.plan, today.path, today.state_root)
    except ValueError as error:
        raise Refused(
            f"The plan that the journal holds cannot be read: {error}",
            host="operator",
            expected="a plan as this version of migrate writes it",
            seen=f"written by version {state.version or 'of before 0.1.0'}",
            advice="nothing was touched; roll back with the version of migrate that this migration was run with",
        ) from error
    return replace(
        held, old=_host(held.old, today.old), new=_host(held.new, today.new), dns=_dns(held.dns, today.dns)
    )


def _host(held: HostPlan, today: HostPlan) -> HostPlan:
    if held.ssh != today.ssh:
        return held
    return replace(
        held,
        identity_file=today.identity_file,
        known_hosts=today.known_hosts,
        host_key=today.host_key,
    )


def _dns(held: DnsPlan, today: DnsPlan) -> DnsPlan:
    was, now = held.rfc2136, today.rfc2136
    if was is None or now is None or (was.server, was.port) != (now.server, now.port):
        return held
    return replace(held, rfc2136=now)
