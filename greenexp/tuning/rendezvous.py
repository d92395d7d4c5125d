"""How the processes of a trial find each other, on one machine or on several nodes of a cluster."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from datetime import timedelta
from typing import Any, NamedTuple

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # documented, and not in its list of names

from greenexp.training.processes import JOIN_S, TrialProcesses, losses

WAIT_S = 1800.0
"""How long a process waits for the others in a step. One that dies is noticed at once; of one that hangs, or whose
machine lost its power, the driver hears nothing either, and ends the trial's first process before."""
_SIOCGIFADDR = 0x8915


class MeetingPlace(NamedTuple):
    """Where the first process of a trial listens for the others: the address of its node and a free port."""

    address: str
    port: int


def open_store(address: str) -> tuple[Any, MeetingPlace]:
    """The first process's side. It listens at this address alone: whoever reaches it can take part."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)
    port = listener.getsockname()[1]
    store = TCPStore(
        address, port, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=JOIN_S),
        master_listen_fd=listener.detach(),
    )  # fmt: skip
    return store, MeetingPlace(address, port)


def meet(store: Any, number: int, size: int, *, own_address: str, nccl: bool) -> TrialProcesses:
    """Take part as process `number` of `size`.

    own_address: of this process's node, over whose network the others reach it
    """
    interface = interface_of(own_address)
    if interface is not None:  # else Gloo and NCCL take the one that the host's name stands for, or guess
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    return TrialProcesses(store, number, size, timeout_s=WAIT_S, nccl=nccl)


def joined_store(place: MeetingPlace, timeout_s: float = JOIN_S) -> Any:
    """Another process's side. Raises LostProcessError where the first one cannot be reached."""
    with losses():
        return TCPStore(place.address, place.port, is_master=False, timeout=timedelta(seconds=timeout_s))


def interface_of(address: str) -> str | None:
    """The name of the network interface with this IPv4 address; None where it is not found."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # one without an address
                request = struct.pack("256s", name.encode()[:15])
                if socket.inet_ntoa(fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)[20:24]) == address:
                    return name
    return None
