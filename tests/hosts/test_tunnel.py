"""Through the tunnel goes a reading rsync on the folder it is started in, and nothing else."""

import pytest

from migrator.errors import HostError
from migrator.hosts.tunnel import rehearse, server_words
from tests.fakes import FakeHost


@pytest.mark.parametrize(
    "asked",
    [
        "migrate-tree-0 --server --sender -nlHogDtpre.iLsfxCIvu --timeout=900 . .",
        "rsync --server --sender -vnlogDtprce.iLsfxCIvu --log-format=%i --numeric-ids . .",
    ],
)
def test_a_reading_server_is_run(asked: str) -> None:
    assert server_words(asked) == ("rsync", *asked.split()[1:])


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "rsync",
        "sh -c id . .",
        "rsync --server -nlogDtpre.iLsfxCIvu . .",
        "rsync --server --sender -nlogDtpre.iLsfxCIvu . /etc",
        "rsync --server --sender -nlogDtpre.iLsfxCIvu . . ; id",
        "rsync --server --sender --remove-source-files . .",
        "rsync --server --sender --log-file=/etc/passwd . .",
        "rsync --server --sender -nlLogDtpre.iLsfxCIvu . .",
        "rsync --server --sender -s . .",
        "rsync --server --sender $(id) . .",
        "rsync --server --sender --config=x . .",
    ],
)
def test_anything_else_is_refused(asked: str) -> None:
    with pytest.raises(HostError, match="something else than reading"):
        server_words(asked)


def test_only_dry_runs_are_relayed() -> None:
    with pytest.raises(ValueError, match="dry run"):
        rehearse(FakeHost("old"), FakeHost("new"), ["rsync", "-a"], source="/a/", target="/b/")  # type: ignore[arg-type]
