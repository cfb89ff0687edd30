"""A plan comes back from its flattened form as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan import (
    CopyPlan,
    CutoverPlan,
    DnsPlan,
    HostPlan,
    LexiconPlan,
    Plan,
    Rfc2136Plan,
    SmokePlan,
    SyncTree,
    WebmailPlan,
    Window,
    load,
)
from migrator.plan.sendmail import RewritePlan, SendmailPlan, SmarthostPlan
from migrator.plan.whole import unflatten
from tests.plan.plans import read

PATH = Path("/plans/night/example.toml")
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
FILES = st.sampled_from(
    [Path("/plans/night/keys/id"), Path("~/.ssh/id").expanduser(), Path("/etc/ssl/key"), Path("/plans/other")]
)
TIMES = st.integers(0, 10**7).map(lambda seconds: timedelta(seconds=seconds))


SETTINGS = st.builds(
    SendmailPlan,
    dh=st.sampled_from(["", "ffdhe3072"]),
    harden=st.lists(TEXTS).map(tuple),
    smarthost=st.none() | st.builds(SmarthostPlan, TEXTS, password_file=st.none() | FILES),
    rewrite=st.none() | st.builds(RewritePlan, st.lists(TEXTS).map(tuple), st.none() | FILES),
)
HOSTS = st.builds(
    HostPlan,
    TEXTS,
    st.lists(TEXTS, min_size=1).map(tuple),
    identity_file=st.none() | FILES,
    known_hosts=FILES,
    host_key=st.sampled_from(["", "SHA256:abc"]),
    sudo=st.booleans(),
    mail_spool=TEXTS,
    sendmail=st.none() | SETTINGS,
)
WINDOWS = st.builds(
    Window,
    st.integers(0, 10**6).map(
        lambda minutes: datetime(2026, 11, 29, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.integers(1, 59999).map(lambda minutes: timedelta(minutes=minutes)),
)
PLANS = st.builds(
    Plan,
    path=st.just(PATH),
    name=TEXTS,
    domains=st.lists(TEXTS, min_size=1).map(tuple),
    mail_host=TEXTS,
    old=HOSTS,
    new=HOSTS,
    sync=st.lists(st.builds(SyncTree, TEXTS, TEXTS, st.lists(TEXTS).map(tuple)), max_size=12).map(tuple),
    dns=st.builds(
        DnsPlan,
        ttl=TIMES,
        lead=TIMES,
        nameservers=st.lists(TEXTS).map(tuple),
        update=st.sampled_from(["manual", "rfc2136", "lexicon", "command"]),
        command=st.lists(TEXTS).map(tuple),
        rfc2136=st.none() | st.builds(Rfc2136Plan, TEXTS, TEXTS, key_file=st.none() | FILES),
        lexicon=st.none() | st.builds(LexiconPlan, TEXTS),
    ),
    copying=st.builds(
        CopyPlan,
        passes=st.integers(1, 9) | st.just("auto"),
        max_delete=st.floats(0, 1),
        streams=st.integers(1, 9) | st.just("auto"),
        ionice=st.sampled_from(["", "idle"]),
        via=st.sampled_from(["pull", "push", "operator"]),
    ),
    cutover=st.builds(
        CutoverPlan,
        strategy=st.sampled_from(["hold", "firewall"]),
        window=st.none() | WINDOWS,
        max_closed=TIMES,
        overrun=st.floats(1, 100),
        late_mail=TIMES,
    ),
    smoke=st.builds(SmokePlan, TEXTS, TEXTS),
    webmail=st.none() | st.builds(WebmailPlan, TEXTS, TEXTS),
)


@given(PLANS)
def test_every_plan_comes_back_as_it_was(plan: Plan) -> None:
    assert unflatten(plan.flatten(), PATH) == plan


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "plans").glob("*.toml")), ids=lambda path: path.name
)
def test_the_plans_that_come_with_the_program_do(path: Path) -> None:
    plan = load(path)
    assert unflatten(plan.flatten(), path) == plan


def test_a_key_of_later_is_told_and_one_of_before_has_its_default(tmp_path: Path) -> None:
    plan = read(tmp_path)
    flat = plan.flatten()
    with pytest.raises(ValueError, match=r"unknown: dns\.colour"):
        unflatten(flat | {"dns.colour": "blue"}, plan.path)
    del flat["sync.streams"], flat["smoke.sender"]
    assert unflatten(flat, plan.path) == replace(plan, smoke=SmokePlan())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("cutover.strategy", "sideways"),
        ("dns.ttl", "soon"),
        ("old.sudo", "perhaps"),
        ("migration.domains", "example.test"),
        ("cutover.overrun", "much"),
    ],
)
def test_a_value_that_no_plan_holds_is_told(tmp_path: Path, key: str, text: str) -> None:
    plan = read(tmp_path)
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        unflatten(plan.flatten() | {key: text}, plan.path)


def test_what_has_no_default_has_to_be_there(tmp_path: Path) -> None:
    plan = read(tmp_path)
    flat = {key: text for key, text in plan.flatten().items() if key != "old.ssh"}
    with pytest.raises(ValueError, match="ssh is missing"):
        unflatten(flat, plan.path)
