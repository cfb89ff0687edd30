"""Where a name leads next: by its alias, or by the .forward of its user."""

from __future__ import annotations

from migrator.errors import CommandFailed
from migrator.toolbox.following import follower
from tests.fakes import FakeHost
from tests.toolbox.stand import Stand

ALIASES = {"team": ("user01", "User02@Example.TEST", "away@else.example", "|/bin/prog")}
HERE = frozenset({"example.test"})


def test_an_alias_counts_before_a_file_and_what_is_elsewhere_is_left_out() -> None:
    stand = Stand("user01", "team")
    stand.host.files["/home/team/.forward"] = b"user09\n"
    stand.host.files["/home/user01/.forward"] = b"\\user01, team\n# gone\n"
    follow = follower(stand.host, stand.world.facts["new"], ALIASES, HERE)
    assert follow("team") == ("user01", "user02")
    assert follow("user01") == ("team",)
    assert follow("nobody") == ()


def test_a_file_that_cannot_be_read_leads_nowhere() -> None:
    class Closed(FakeHost):
        def read_file(self, path: str) -> str | None:
            raise CommandFailed(f"{path} cannot be read", status=1)

    follow = follower(Closed("new"), Stand("user01").world.facts["new"], {}, HERE)
    assert follow("user01") == ()
