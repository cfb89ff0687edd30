"""What a host listens on is read from the kernel's own list."""

from __future__ import annotations

import socket
import subprocess
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.sockets import LISTING, answers, listening

LOCAL = "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000\n"
ANY = "   0: 00000000:0019 00000000:0000 0A 00000000:00000000\n"
ANY_6 = f"   0: {'0' * 32}:0019 {'0' * 32}:0000 0A 00000000:00000000\n"
LOCAL_6 = f"   0: {'0' * 24}01000000:0019 {'0' * 32}:0000 0A 00000000:00000000\n"
TALKING = "   0: 0100007F:0019 0100007F:C350 01 00000000:00000000\n"


@pytest.mark.parametrize(
    ("text", "address", "found"),
    [
        (LOCAL, "127.0.0.1", True),
        (LOCAL, "198.51.100.10", False),
        (ANY, "198.51.100.10", True),
        (ANY, "::1", False),
        (ANY_6, "127.0.0.1", True),
        (LOCAL_6, "::1", True),
        (TALKING, "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_an_address_is_answered_by_itself_or_by_any(text: str, address: str, found: bool) -> None:
    assert answers(listening(text), address, 25) is found
    assert answers(listening(text), address, 587) is False


def test_the_listing_names_a_socket_of_this_machine() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        done = subprocess.run(["sh", "-c", LISTING], capture_output=True, text=True, check=True)
        assert (ip_address("127.0.0.1"), server.getsockname()[1]) in listening(done.stdout)


@given(st.text(alphabet=st.sampled_from("0123456789ABCDEF: \n") | st.characters()))
def test_any_text_is_read(text: str) -> None:
    for _, port in listening(text):
        assert 0 <= port < 65536
