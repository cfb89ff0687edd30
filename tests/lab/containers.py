"""Starting and removing the containers and the network of a lab."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from docker.client import DockerClient
from docker.errors import APIError, NotFound
from docker.types import DriverConfig, EndpointConfig, IPAMConfig, IPAMPool, Mount
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.lab import disk
from tests.lab.place import Place

# Its reaper needs an image from a registry; a lab removes its own, and what a killed one left (see sweep).
testcontainers_config.ryuk_disabled = True

LABEL = "migrate.lab"
LABEL_PROCESS = "migrate.lab.process"
PLACES = 64
DOCKER_FOLDER = Path(__file__).resolve().parents[2] / "docker"


def image_tag() -> str:
    """Return the tag of the image, built first where it is missing. Raise CalledProcessError if not."""
    script = DOCKER_FOLDER / "images.sh"
    return subprocess.run([str(script)], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def labels(identity: str) -> dict[str, str]:
    """Return the labels that everything of one lab carries."""
    return {LABEL: identity, LABEL_PROCESS: str(os.getpid())}


@contextmanager
def network(identity: str) -> Iterator[tuple[Place, Network]]:
    """Yield the first free place and its network, which leads nowhere else; remove the network afterwards."""
    for number in range(PLACES):
        place = Place(number)
        pools = IPAMConfig(pool_configs=[IPAMPool(subnet=place.subnet, gateway=place.gateway)])
        here = Network(docker_network_kw={"internal": True, "ipam": pools, "labels": labels(identity)})
        try:
            here.create()
        except APIError as error:
            # Another lab has this one.
            if "overlap" not in str(error):
                raise
            continue
        try:
            yield place, here
        finally:
            here.remove()
        return
    raise RuntimeError(f"all {PLACES} places for a lab are taken: docker ps --filter label={LABEL}")


def describe(
    role: str,
    identity: str,
    place: Place,
    here: Network,
    state: Path,
    environment: Mapping[str, str],
    powers: Sequence[str],
    volumes: Mapping[str, Path] | None = None,
) -> DockerContainer:
    """Return the container of one role with these capabilities, not yet started.

    Without SYS_PTRACE Debian's init script says that it has restarted Sendmail and has not. `volumes` are folders
    of the container that stand in folders of this machine.
    """
    name = "mail" if role in {"old", "new"} else role
    return DockerContainer(
        image_tag(),
        command=role,
        name=f"migrate-{identity}-{role}",
        env={"LAB_NET": place.prefix, **environment},
        volumes=[(str(state), "/lab-state", "rw")],
    ).with_kwargs(
        hostname=f"{name}.example.test",
        init=True,
        cap_add=list(powers),
        # Its profile forbids what the capability allows.
        security_opt=["apparmor=unconfined"] if "SYS_ADMIN" in powers else [],
        labels=labels(identity),
        mounts=[volume(inside, folder) for inside, folder in (volumes or {}).items()],
        network=here.name,
        networking_config={here.name: EndpointConfig("1.41", ipv4_address=place.address(role))},
    )


def volume(inside: str, folder: Path) -> Mount:
    """Return what puts a folder of this machine into a container, filled with what the image has there."""
    folder.mkdir()
    options = {"type": "none", "o": "bind", "device": str(folder)}
    return Mount(inside, None, type="volume", driver_config=DriverConfig("local", options))


def sweep() -> None:
    """Remove the labs whose process was killed before it could remove them itself."""
    client = DockerClient.from_env()
    try:
        for container in client.containers.list(all=True, filters={"label": LABEL_PROCESS}):
            if not alive(container.labels[LABEL_PROCESS]):
                remove_quietly(container, force=True, v=True)
        for left in client.networks.list(filters={"label": LABEL_PROCESS}):
            if not alive(left.attrs["Labels"][LABEL_PROCESS]):
                remove_quietly(left)
    finally:
        client.close()
    for process, place in disk.left():
        if not alive(process):
            disk.remove(place)


def remove_quietly(thing: object, **options: bool) -> None:
    """Remove a container or network that another sweep may be removing at this moment."""
    try:
        thing.remove(**options)  # type: ignore[attr-defined]
    except (NotFound, APIError):
        return


def alive(process: str) -> bool:
    """Say whether the process with this number runs."""
    return Path("/proc", process).exists()
