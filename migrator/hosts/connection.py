"""Opening an ssh connection as OpenSSH would: with its configuration, its agent and a host key it knows."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import HostError, HostKeyError
from migrator.hosts.known_hosts import KnownHosts, display_name, fingerprint, read_known_hosts
from migrator.hosts.ssh_config import Destination, resolve
from migrator.plan import HostPlan
from migrator.retry import CONNECT, RECONNECT, UNREACHED

if TYPE_CHECKING:
    from fabric import Connection
    from paramiko import PKey, Transport

CONNECT_TIMEOUT = 15
"""How long one attempt may take, in seconds."""

ANSWER_TIMEOUT = 20.0
"""How long a host may think about its greeting, and about a login, in seconds."""

_UNANSWERED = "unanswered"
"""The attribute of a transport that tells of a login which the host answered neither with yes nor with no."""

_CONSOLE = "what `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` shows on the host's own console"

_DEAD_AFTER = 60_000  # milliseconds without an answer


class _PassingError(Exception):
    """A failure that may be gone at the next attempt."""


class _NotPinnedError(Exception):
    """The host showed another key than the pinned one; it may have that one as well."""

    def __init__(self, kind: str, seen: str) -> None:
        super().__init__(seen)
        self.kind = kind
        self.seen = seen


class Opener:
    """Opens connections to one host of the plan.

    `name` is "old" or "new". `sleep` is for tests.
    """

    def __init__(self, name: str, plan: HostPlan, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._name = name
        self._plan = plan
        self._sleep = sleep
        self._patience = CONNECT
        self._known_beside: tuple[Path, ...] = ()  # files that ssh_config names

    def prepare(self) -> Connection:
        """Return the connection, not yet open: host, port and user are what ssh_config makes of the plan."""
        _silence()
        there = resolve(self._plan.endpoint, name=self._name)
        keys = [self._plan.identity_file] if self._plan.identity_file else []
        gateway: Connection | str | None = there.command or None
        for hop in there.jumps:
            gateway = _connection(hop, hop.keys, gateway)
        connection = _connection(there, (*keys, *there.keys), gateway)
        self._known_beside = there.known_hosts
        return connection

    def open(self) -> Transport:
        """Return an open connection whose host key was verified.

        Raises HostKeyError for a key that is unknown or not the expected one, HostError where the host cannot
        be reached or does not let the user in.
        """
        seen: dict[str, str] = {}
        while True:
            attempts = self._patience.retrying(_PassingError, sleep=self._sleep)
            try:
                transport = attempts(self._attempt, tuple(seen))
            except _NotPinnedError as error:
                if error.kind in seen:
                    raise self._wrong_pin(seen) from None
                seen[error.kind] = error.seen
            except HostKeyError:
                if seen:  # and it has no further type of key to show
                    raise self._wrong_pin(seen) from None
                raise
            except _PassingError as error:
                self._patience = UNREACHED
                raise HostError(
                    f"the {self._name} host cannot be reached by ssh",
                    host=self._name,
                    expected=f"an ssh server at {self._plan.ssh}",
                    seen=str(error),
                    advice=f"try by hand: ssh {self._plan.ssh} true; when that works, run the same command again",
                ) from error
            else:
                self._patience = RECONNECT
                return transport

    def _attempt(self, without: tuple[str, ...]) -> Transport:
        import paramiko

        connection = self.prepare()
        self._trust(connection, without)
        try:
            connection.open()
        except (HostKeyError, _NotPinnedError):
            connection.client.close()
            raise
        except (OSError, EOFError, paramiko.SSHException) as error:
            met, slow = _met(connection), getattr(connection.client.get_transport(), _UNANSWERED, False)
            connection.client.close()
            if slow:
                raise _PassingError("no answer to the login") from error
            raise self._judged(connection, error, met=met) from error
        transport: Transport = connection.transport
        _watch(transport)
        # fabric closes the transport with the connection object, so it has to live as long.
        transport.migrate_connection = connection  # type: ignore[attr-defined]
        return transport

    def _judged(self, connection: Connection, error: Exception, *, met: bool) -> Exception:
        """Return what an attempt's failure means; `met` tells that the host had shown its key by then."""
        import paramiko

        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return self._other_kind(connection, str(error))
        if isinstance(error, socket.gaierror):
            return HostError(
                f"the name {connection.host!r} is not known here",
                host=self._name,
                seen=str(error),
                advice=f"see whether ssh {self._plan.ssh} works by hand",
            )
        lost = isinstance(error, EOFError | ConnectionError | TimeoutError)
        if isinstance(error, paramiko.AuthenticationException) or (met and not lost):
            # A key of a type that paramiko tried in vain, or a file that is not there, has other names here.
            return self._not_let_in(connection, str(error))
        return _PassingError(str(error) or type(error).__name__)

    def _trust(self, connection: Connection, without: tuple[str, ...]) -> None:
        known = self._known()
        pin = self._plan.host_key
        self._demand(connection, known, pin, without)
        gateway = connection.gateway
        while gateway and not isinstance(gateway, str):
            self._demand(gateway, known, "", ())
            gateway = gateway.gateway

    def _demand(self, connection: Connection, known: KnownHosts, pin: str, without: tuple[str, ...]) -> None:
        import paramiko

        # An alias of the key stands in known_hosts as it is, whatever the port (ssh_config(5), HostKeyAlias).
        alias = connection.ssh_config.get("hostkeyalias", "").lower()
        name = alias or display_name(connection.host, connection.port)
        kinds = () if pin else known.kinds(name)

        class Demanding(paramiko.MissingHostKeyPolicy):
            def missing_host_key(policy, _client: object, _hostname: str, key: PKey) -> None:  # noqa: N805
                self._judge(name, key, known, pin)

        # fabric sets AutoAddPolicy of its own accord, which trusts whoever answers.
        connection.client.set_missing_host_key_policy(Demanding())
        connection.connect_kwargs["transport_factory"] = _transport_factory(kinds, without)

    def _judge(self, name: str, key: PKey, known: KnownHosts, pin: str) -> None:
        seen = fingerprint(key.asbytes())
        if pin:
            if seen != pin:
                raise _NotPinnedError(key.get_name(), seen)
            return
        verdict = known.verdict(name, key.get_name(), key.get_base64())
        if verdict != "known":
            raise self._untrusted(name, key.get_name(), seen, verdict)

    def _known(self) -> KnownHosts:
        try:
            files = [self._plan.known_hosts]
            files += self._known_beside if self._plan.known_hosts == HostPlan("", ()).known_hosts else ()
            return KnownHosts(tuple(key for file in files for key in read_known_hosts(file).keys))
        except OSError as error:
            raise HostKeyError(
                "the file of known host keys cannot be read", host=self._name, seen=str(error)
            ) from error

    def _untrusted(self, name: str, kind: str, seen: str, verdict: str) -> HostKeyError:
        file = self._plan.known_hosts
        keyscan = _keyscan(name)
        look = f"compare it with {_CONSOLE}; "
        steps = {
            "unknown": f'{look}if it is the same: {keyscan} >> {file}, or host_key = "{seen}" in the plan',
            "changed": f"{look}only if it is the same: ssh-keygen -R '{name}' -f {file}; {keyscan} >> {file}",
            "revoked": f"the host must get a new key; {file} marks this one as revoked",
        }
        words = {
            "unknown": "is not known",
            "changed": "is NOT the known one: this may be another machine",
            "revoked": "is revoked",
        }
        return HostKeyError(
            f"the host key of {name} {words[verdict]}",
            host=self._name,
            expected=f"a host key that {file} holds for {name}",
            seen=f"{kind} {seen}",
            advice=steps[verdict],
        )

    def _wrong_pin(self, seen: dict[str, str]) -> HostKeyError:
        return HostKeyError(
            f"the host key of {self._plan.ssh} is NOT the pinned one: this may be another machine",
            host=self._name,
            expected=self._plan.host_key,
            seen=", ".join(f"{kind} {key}" for kind, key in seen.items()),
            advice=f"compare with {_CONSOLE}; only if one is the same, write it as host_key into the plan",
        )

    def _other_kind(self, connection: Connection, seen: str) -> HostKeyError:
        return HostKeyError(
            f"the host key of {connection.host} is of a type that is not known",
            host=self._name,
            expected=f"a host key of a type that {self._plan.known_hosts} holds for it",
            seen=seen,
            advice=f"add its other keys after comparing them with {_CONSOLE}: "
            f"{_keyscan(display_name(connection.host, connection.port))} >> {self._plan.known_hosts}",
        )

    def _not_let_in(self, connection: Connection, seen: str) -> HostError:
        keys = connection.connect_kwargs.get("key_filename", [])
        tried = [f"the key {key}" for key in keys] + ["the agent's keys", "the keys of ~/.ssh"]
        return HostError(
            f"the {self._name} host does not let {connection.user} in",
            host=self._name,
            expected=f"{connection.user}@{connection.host} is let in with {', '.join(tried)}",
            seen=seen,
            advice="add the public key to that user's authorized_keys there, or give the key with ssh-add to "
            f"the agent; then try: ssh {self._plan.ssh} true",
        )


def _connection(there: Destination, keys: Iterable[Path], gateway: Connection | str | None) -> Connection:
    """Return a connection that is not open yet, to where ssh_config leads: fabric reads no such file by itself."""
    import paramiko
    from fabric import Config, Connection

    class Settled(paramiko.SSHConfig):
        def lookup(self, _hostname: str) -> Any:
            return {"hostkeyalias": there.alias} if there.alias else {}

    files = [str(key) for key in dict.fromkeys(keys)]
    return Connection(
        there.host,
        user=there.user or None,
        port=there.port,
        config=Config(ssh_config=Settled()),
        gateway=gateway,
        forward_agent=False,
        connect_timeout=CONNECT_TIMEOUT,
        connect_kwargs={
            "banner_timeout": ANSWER_TIMEOUT,
            "auth_timeout": ANSWER_TIMEOUT,
            **({"key_filename": files} if files else {}),
            **({"look_for_keys": False} if there.keys_only else {}),
        },
    )


def _met(connection: Connection) -> bool:
    transport = connection.client.get_transport()
    return transport is not None and transport.is_active() and transport.initial_kex_done


def _keyscan(name: str) -> str:
    host, _, port = name.strip("[").partition("]:")
    return f"ssh-keyscan -p {port} {host}" if port else f"ssh-keyscan {host}"


def _transport_factory(kinds: tuple[str, ...], without: tuple[str, ...]) -> Callable[..., Transport]:
    import paramiko

    class Login(paramiko.Transport):
        def auth_publickey(self, *arguments: Any) -> list[str]:
            try:
                return super().auth_publickey(*arguments)
            except paramiko.AuthenticationException as error:
                # What comes out at the end may be the failure of another key, or of a file of another kind.
                setattr(self, _UNANSWERED, str(error) == "Authentication timeout.")
                raise

    def make(sock: Any, **options: Any) -> Transport:
        transport = Login(sock, **options)
        security = transport.get_security_options()
        offered = tuple(security.key_types)
        # A host shows the one of its keys that both sides like best, which need not be the known one.
        wanted = tuple(kind for kind in offered if not kinds or _family(kind) in kinds)
        security.key_types = (
            tuple(kind for kind in wanted if _family(kind) not in without) or wanted or offered
        )
        return transport

    return make


def _family(kind: str) -> str:
    return "ssh-rsa" if kind.startswith("rsa-sha2") else kind


def _watch(transport: Transport) -> None:
    transport.set_keepalive(15)
    if isinstance(transport.sock, socket.socket):
        # The end of a script would wait until the host has acknowledged its beginning, which takes it up to 40 ms.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(transport.sock, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
        # The keepalives then fail within a minute, where the system would wait for a quarter of an hour.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER)


def _silence() -> None:
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        # Without a handler its tracebacks land on the terminal; what they say comes as exceptions as well.
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
