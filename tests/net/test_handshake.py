"""What a server's answer to a hello says, with a real TLS server behind it and with none."""

from __future__ import annotations

import contextlib
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.net import ffdhe
from migrator.net.handshake import DHE, EVERY, VERSIONS, ServerAnswer, client_hello, read_answer
from tests.lab.relay import certificate


def answer_of(context: ssl.SSLContext, hello: bytes) -> ServerAnswer:
    """Hand a hello to a server in memory, and read its answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with contextlib.suppress(ssl.SSLError):
        server.do_handshake()
    return read_answer(outgoing.read)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ssl.SSLContext]:
    pem = certificate(tmp_path_factory.mktemp("tls") / "server.pem")

    def make(group: str = "", highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.maximum_version = highest
        context.set_ciphers("ALL:@SECLEVEL=0")
        if group:
            file = pem.with_name(f"{group}.pem")
            Path(file).write_text(ffdhe.parameters(group))
            context.load_dh_params(str(file))
        return context

    return make


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe3072"])
def test_the_group_is_read_off_the_handshake(server: Callable[..., ssl.SSLContext], group: str) -> None:
    answer = answer_of(server(group), client_hello(VERSIONS["TLSv1.2"], DHE))
    assert answer.version == VERSIONS["TLSv1.2"]
    assert answer.suite in DHE
    assert ffdhe.name_of(answer.modulus) == group
    assert f"ffdhe{answer.bits}" == group


def test_a_server_without_a_group_answers_with_an_alert(server: Callable[..., ssl.SSLContext]) -> None:
    answer = answer_of(server(), client_hello(VERSIONS["TLSv1.2"], DHE))
    assert (answer.suite, answer.bits, answer.alert) == (0, 0, "alert 40")


def test_a_protocol_is_taken_or_not(server: Callable[..., ssl.SSLContext]) -> None:
    new, old = server(), server(highest=ssl.TLSVersion.TLSv1_2)
    hello = client_hello(VERSIONS["TLSv1.3"], EVERY)
    assert answer_of(new, hello).version == VERSIONS["TLSv1.3"]
    assert answer_of(old, hello).version != VERSIONS["TLSv1.3"]
    assert answer_of(old, client_hello(VERSIONS["TLSv1.2"], EVERY)).version == VERSIONS["TLSv1.2"]
    assert answer_of(new, client_hello(VERSIONS["SSLv3"], EVERY)).suite == 0


def test_a_message_may_come_in_several_records() -> None:
    hello = struct.pack("!H", 0x0303) + bytes(32) + b"\0" + struct.pack("!HB", DHE[0], 0)
    exchange = struct.pack("!H", 3) + b"\x05\0\x01" + bytes(8)
    messages = b"\x02" + len(hello).to_bytes(3, "big") + hello
    messages += b"\x0c" + len(exchange).to_bytes(3, "big") + exchange
    parts = [messages[:10], messages[10:50], messages[50:]]
    octets = b"".join(struct.pack("!BHH", 0x16, 0x0303, len(part)) + part for part in parts)
    pieces = [octets[start : start + 7] for start in range(0, len(octets), 7)]
    assert read_answer(lambda _size: pieces.pop(0) if pieces else b"").modulus == 0x050001


@given(st.binary(max_size=200))
def test_no_server_breaks_the_reader(octets: bytes) -> None:
    pieces = [octets, b""]
    read_answer(lambda _size: pieces.pop(0) if pieces else b"")
    record = struct.pack("!BHH", 0x16, 0x0303, len(octets)) + octets
    more = [record, b""]
    read_answer(lambda _size: more.pop(0) if more else b"")


def test_a_server_that_never_stops_is_cut_off() -> None:
    assert read_answer(lambda size: b"\x16\x03\x03\x40\0" * (size // 5)).alert
