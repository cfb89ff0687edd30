"""`rollback`, `status` and `check --remove-keys` go by the journal's plan, whatever the plan's file says now."""

from __future__ import annotations

import json

import pytest

from migrator.cli.finding import found
from migrator.errors import PlanError
from migrator.plan import Plan
from tests.cli.conftest import PLAN, Desk

RFC2136 = """
[dns]
update = "rfc2136"
[dns.rfc2136]
server = "198.51.100.53"
key_name = "lab."
key_file = "{}"
"""


def rewrite(desk: Desk, before: str, after: str) -> None:
    text = desk.plan.read_text()
    assert before in text
    desk.plan.write_text(text.replace(before, after))


@pytest.fixture
def wired_plans(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Return the plans that commands make their connections by."""
    import sys

    plans: list[Plan] = []
    module = sys.modules["migrator.cli.wiring"]

    def wired(plan: Plan, force: frozenset[str], notify: object) -> object:
        plans.append(plan)
        return desk.wired(plan, force, notify)  # type: ignore[arg-type] # what the command gave

    monkeypatch.setattr(module, "wired", wired)
    return plans


class TestRollback:
    def test_it_connects_to_the_hosts_that_were_moved(self, desk: Desk, wired_plans: list[Plan]) -> None:
        desk.type("run", "--yes")
        rewrite(desk, "198.51.100.10", "198.51.100.77")
        result = desk.type("rollback")
        assert result.exit_code == 0, result.stderr
        assert "old.ssh: root@198.51.100.10 → root@198.51.100.77" in result.stdout
        assert wired_plans[-1].old.ssh == "root@198.51.100.10"
        assert wired_plans[-1].old.addresses == ("198.51.100.10",)

    def test_a_dry_run_does_too(self, desk: Desk, wired_plans: list[Plan]) -> None:
        desk.type("run", "--yes")
        rewrite(desk, "198.51.100.10", "198.51.100.77")
        assert desk.type("rollback", "--dry-run").exit_code == 0
        assert wired_plans[-1].old.ssh == "root@198.51.100.10"

    def test_what_lets_this_machine_in_is_that_of_today(self, desk: Desk, wired_plans: list[Plan]) -> None:
        for name in ("moved", "tsig.before", "tsig.now"):
            (desk.folder / name).write_text("secret")
        desk.plan.write_text(PLAN + RFC2136.format("tsig.before"))
        desk.type("run", "--yes")
        rewrite(desk, 'ssh = "root@198.51.100.10"\n', 'ssh = "root@198.51.100.10"\nidentity_file = "moved"\n')
        rewrite(desk, "tsig.before", "tsig.now")
        rewrite(desk, 'update = "rfc2136"', 'update = "manual"')
        assert desk.type("rollback").exit_code == 0
        plan = wired_plans[-1]
        assert plan.old.identity_file == desk.folder / "moved"
        assert plan.dns.rfc2136 is not None
        assert plan.dns.rfc2136.key_file == desk.folder / "tsig.now"
        assert plan.dns.update == "rfc2136"

    def test_a_key_of_another_host_or_server_is_not_used(self, desk: Desk, wired_plans: list[Plan]) -> None:
        for name in ("before", "now"):
            (desk.folder / name).write_text("secret")
        desk.plan.write_text(PLAN + RFC2136.format("before"))
        desk.type("run", "--yes")
        rewrite(desk, 'ssh = "root@198.51.100.10"', 'ssh = "root@198.51.100.77"\nidentity_file = "now"')
        rewrite(desk, 'server = "198.51.100.53"', 'server = "198.51.100.54"')
        rewrite(desk, '"before"', '"now"')
        assert desk.type("rollback").exit_code == 0
        assert wired_plans[-1].old.identity_file is None
        assert wired_plans[-1].dns.rfc2136 is not None
        assert wired_plans[-1].dns.rfc2136.key_file == desk.folder / "before"

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(PLAN + "colour = 1\n", id="an unknown key"),
            pytest.param(PLAN + "[[[\n", id="no TOML"),
            pytest.param("", id="empty"),
        ],
    )
    def test_a_plan_with_faults_is_no_obstacle(self, desk: Desk, text: str) -> None:
        before = desk.world.files()
        desk.type("run", "--yes")
        desk.plan.write_text(text)
        result = desk.type("rollback")
        assert result.exit_code == 0, result.stderr
        assert "the journal's own plan counts here" in result.stdout
        assert desk.world.files() == before

    def test_nor_is_one_that_is_gone(self, desk: Desk) -> None:
        before = desk.world.files()
        desk.type("run", "--yes")
        desk.plan.unlink()
        assert desk.type("rollback").exit_code == 0
        assert desk.world.files() == before

    def test_a_plan_of_another_name_is_refused_and_told_the_name(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        rewrite(desk, "example-mail", "other-mail")
        before = desk.world.files()
        result = desk.type("rollback")
        assert (result.exit_code, desk.world.files()) == (3, before)
        assert 'name = "example-mail"' in result.stderr

    def test_a_migration_that_is_under_way_is_not_begun_again_under_another_name(self, desk: Desk) -> None:
        desk.type("run", "--until", "survey")
        rewrite(desk, "example-mail", "other-mail")
        assert desk.type("run", "--yes").exit_code == 3

    def test_the_next_migration_may_use_the_file_of_one_that_is_done(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        rewrite(desk, "example-mail", "other-mail")
        assert desk.type("run", "--yes").exit_code == 0

    def test_another_plan_beside_it_is_none_of_its_business(self, desk: Desk) -> None:
        desk.type("run", "--until", "survey")
        other = desk.folder / "other.toml"
        other.write_text(PLAN.replace("example-mail", "other-mail"))
        assert not found(other, None).state.begun
        other.write_text("")
        with pytest.raises(PlanError):
            found(other, None)

    def test_a_journal_that_does_not_tell_where_its_plan_was_is_found_by_the_name(self, desk: Desk) -> None:
        desk.type("run", "--yes")
        forget_path(desk)
        desk.plan.write_text(PLAN + "colour = 1\n")
        assert desk.type("rollback").exit_code == 0


def forget_path(desk: Desk) -> None:
    """Make a journal one of format 1."""
    journal = desk.state / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for key in ("path", "format", "version"):
        lines[0]["data"].pop(key)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_status_tells_of_a_plan_with_faults_what_the_journal_knows(desk: Desk) -> None:
    desk.type("run", "--yes")
    desk.plan.write_text(PLAN + "colour = 1\n")
    result = desk.type("status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (0, "done")


def test_keys_are_removed_from_the_hosts_that_have_them(desk: Desk, wired_plans: list[Plan]) -> None:
    desk.type("run", "--until", "survey")
    rewrite(desk, "198.51.100.10", "198.51.100.77")
    desk.type("check", "--remove-keys", "--yes")
    assert wired_plans[-1].old.ssh == "root@198.51.100.10"


def test_json_alone_is_written(desk: Desk) -> None:
    desk.type("run", "--yes")
    rewrite(desk, "198.51.100.10", "198.51.100.77")
    lines = desk.type("rollback", "--json").stdout.splitlines()
    assert json.loads(lines[0])["kind"] == "message"
