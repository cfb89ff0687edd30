"""Visitors of the webmail's old address are sent on by the web server that is there."""

from __future__ import annotations

import pytest

from migrator.change import FileEdit, Note, Undo, Upload
from migrator.errors import HostError, VerifyFailed
from migrator.plan import WebmailPlan
from migrator.steps.redirect_webmail import BY_HAND, RedirectWebmail, redirect
from tests.fakes import FakeWeb
from tests.steps.stage import Stage, edits, upload

PLAIN = WebmailPlan("http://webmail.example.test/", "https://webmail2.example.test/")
DEEP = WebmailPlan("https://www.example.test:8443/mail/box/", "https://webmail2.example.test/")
APACHE = "/etc/apache2/conf-enabled/migrate-webmail.conf"
NGINX = "/etc/nginx/conf.d/000-migrate-webmail.conf"


@pytest.fixture
def stage() -> Stage:
    stage = Stage(RedirectWebmail())
    stage.world.web = FakeWeb()
    return stage


def serve(stage: Stage, *programs: str, running: str = "") -> None:
    """Let the old host have these web servers, and these processes."""
    stage.facts("old", programs=frozenset(programs))
    stage.old.on("^ps -e", f"systemd\n{running}\n")


def answer(stage: Stage, status: int, location: str) -> None:
    stage.world.web.answers["http://webmail.example.test/"] = (status, location)


class TestText:
    def test_apache_redirects_one_name_in_every_virtual_host(self) -> None:
        assert redirect("apache", PLAIN) == (
            "# Written by migrate: the webmail has moved.\n"
            '<If "%{HTTP_HOST} =~ m#^webmail\\.example\\.test(:[0-9]+)?$#i">\n'
            '    RedirectMatch permanent "^(/.*)?$" "https://webmail2.example.test/"\n'
            "</If>\n"
        )

    def test_apache_leaves_other_folders_of_the_name_alone(self) -> None:
        assert '"^/mail/box(/.*)?$"' in (redirect("apache", DEEP) or "")

    def test_nginx_gets_a_server_of_the_name(self) -> None:
        assert redirect("nginx", PLAIN) == (
            "# Written by migrate: the webmail has moved.\n"
            "server {\n"
            "    listen 80;\n"
            "    server_name webmail.example.test;\n"
            '    location / { return 301 "https://webmail2.example.test/"; }\n'
            "}\n"
        )

    def test_nginx_listens_on_the_port_of_the_address(self) -> None:
        webmail = WebmailPlan("http://webmail.example.test:8080/", PLAIN.new_url)
        assert "listen 8080;" in (redirect("nginx", webmail) or "")

    def test_nginx_cannot_do_it_for_https_without_the_certificate(self) -> None:
        assert redirect("nginx", DEEP) is None


class TestChange:
    @pytest.mark.parametrize(
        ("programs", "running", "path", "reload"),
        [
            (["apache2ctl"], "apache2", APACHE, "apache2ctl configtest && apache2ctl graceful"),
            (["httpd"], "httpd", "/etc/httpd/conf.d/000-migrate-webmail.conf", "apachectl configtest"),
            (["nginx"], "nginx", NGINX, "nginx -t && nginx -s reload"),
            (["nginx", "apache2ctl"], "nginx", NGINX, "nginx -t"),
            (["nginx", "apache2ctl"], "apache2", APACHE, "apache2ctl configtest"),
        ],
        ids=["Debian's Apache", "Red Hat's Apache", "nginx", "nginx runs", "nginx does not run"],
    )
    def test_the_server_that_is_there_gets_a_file_of_its_own(
        self, stage: Stage, programs: list[str], running: str, path: str, reload: str
    ) -> None:
        serve(stage, *programs, running=running)
        (change,) = stage.look()
        assert list(edits(change)) == [path]
        assert upload(change).then.startswith(reload)

    def test_its_undo_takes_the_file_away_and_reloads(self, stage: Stage) -> None:
        serve(stage, "apache2ctl")
        (change,) = stage.look()
        (edit,) = upload(change).files
        assert isinstance(change.undo, Upload)
        assert change.undo.files == (FileEdit(APACHE, edit.after, None),)
        assert change.undo.then == upload(change).then

    def test_an_address_that_leads_there_already_is_left_alone(self, stage: Stage) -> None:
        serve(stage, "apache2ctl")
        for status in (301, 302):
            answer(stage, status, PLAIN.new_url)
            assert stage.look() == []
            stage.verify()

    def test_one_that_leads_elsewhere_is_not(self, stage: Stage) -> None:
        serve(stage, "apache2ctl")
        answer(stage, 301, "https://elsewhere.example.test/")
        assert len(stage.look()) == 1

    def test_a_plan_without_webmail_changes_nothing(self, stage: Stage) -> None:
        serve(stage, "apache2ctl")
        stage.plan(webmail=None)
        assert stage.look() == []
        stage.verify()


class TestByHand:
    @pytest.mark.parametrize(("programs", "old_url"), [([], PLAIN.old_url), (["nginx"], DEEP.old_url)])
    def test_what_no_file_can_do_is_said_once(self, stage: Stage, programs: list[str], old_url: str) -> None:
        serve(stage, *programs, running="nginx")
        stage.plan(webmail=WebmailPlan(old_url, PLAIN.new_url))
        (change,) = stage.perform()
        assert (change.do, change.undo) == (Note(), Undo.NOT_NEEDED)
        assert change.summary.startswith(f"by hand: redirect {old_url} to {PLAIN.new_url}; ")
        assert BY_HAND in stage.memory
        assert stage.look() == []
        stage.verify()


class TestVerify:
    def test_a_graceful_reload_is_waited_for(self, stage: Stage) -> None:
        answers = [(200, ""), (200, ""), (301, PLAIN.new_url)]
        stage.world.web.head = lambda url, *, address: answers.pop(0)  # type: ignore[method-assign]
        stage.verify()
        assert stage.world.clock.slept == [0.5, 0.5]

    def test_the_old_host_itself_is_asked_whatever_the_dns_says(self, stage: Stage) -> None:
        asked = []

        def head(url: str, *, address: str) -> tuple[int, str]:
            asked.append((url, address))
            return 301, PLAIN.new_url

        stage.world.web.head = head  # type: ignore[method-assign]
        stage.verify()
        assert asked == [(PLAIN.old_url, "198.51.100.10")]

    def test_a_page_that_is_still_there_fails(self, stage: Stage) -> None:
        with pytest.raises(VerifyFailed) as failed:
            stage.verify()
        assert failed.value.seen == "200"
        assert failed.value.expected == f"{PLAIN.old_url} answers with 301 and Location: {PLAIN.new_url}"

    def test_a_server_that_does_not_answer_fails_with_its_reason(self, stage: Stage) -> None:
        def head(url: str, *, address: str) -> tuple[int, str]:
            raise HostError("connection refused")

        stage.world.web.head = head  # type: ignore[method-assign]
        with pytest.raises(VerifyFailed) as failed:
            stage.verify()
        assert failed.value.seen == "connection refused"


def test_nginx_does_not_answer_for_a_whole_name_of_which_the_webmail_is_a_part() -> None:
    assert (
        redirect("nginx", WebmailPlan("http://www.example.test/webmail/", "https://new.example.test/"))
        is None
    )
