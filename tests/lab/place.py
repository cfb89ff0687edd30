"""Where a lab stands: its number gives a network, and the network gives every address."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_NETWORKS = ("198.51.100",)
"""A network that RFC 5737 keeps for documentation; more labs take from RFC 2544's. Some machines use the others."""


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses of the lab with this number, from 0 on; labs of different numbers run side by side."""

    number: int

    @property
    def prefix(self) -> str:
        """The first three numbers of every address here."""
        if self.number < len(FIRST_NETWORKS):
            return FIRST_NETWORKS[self.number]
        return f"198.18.{self.number}"

    @property
    def subnet(self) -> str:
        """The network with its length, as Docker takes it."""
        return f"{self.prefix}.0/24"

    @property
    def gateway(self) -> str:
        """The address of the machine that runs the tests, from which every sender comes."""
        return f"{self.prefix}.1"

    @property
    def old(self) -> str:
        """The address of the old mail host."""
        return f"{self.prefix}.10"

    @property
    def new(self) -> str:
        """The address of the new mail host."""
        return f"{self.prefix}.20"

    @property
    def dns(self) -> str:
        """The address of the primary name server."""
        return f"{self.prefix}.53"

    @property
    def secondary(self) -> str:
        """The address of the secondary name server, where there is one."""
        return f"{self.prefix}.54"

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that both name servers serve, as docker/lab/name-server.sh makes them."""
        reverse = ".".join(reversed(self.prefix.split(".")))
        return ("example.test.", "example2.test.", "outside.test.", f"{reverse}.in-addr.arpa.", ".")

    def address(self, role: str) -> str:
        """Given a role (old, new, dns, secondary), return its address. Raise KeyError for another word."""
        return {"old": self.old, "new": self.new, "dns": self.dns, "secondary": self.secondary}[role]
