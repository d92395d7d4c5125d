"""The ports that a process and its children listen on, and calls to them as a client of Ray would make them."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import h2.config
import h2.connection
import h2.events

METHODS = (
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.ObjectManagerService/Pull",
    "/ray.rpc.CoreWorkerService/GetCoreWorkerStats",
)
"""One call of each service that Ray's processes offer; an empty message is a request of any of them."""
UNIMPLEMENTED, UNAUTHENTICATED = "12", "16"


def listening_ports(leader: int) -> dict[int, str]:
    """Port -> name of the process, of all processes in the session of `leader`."""
    inodes = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if os.getsid(int(entry.name)) == leader:
                name = (entry / "comm").read_text().strip()
                inodes |= {str(link.readlink()): name for link in (entry / "fd").iterdir()}
    ports = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            cells = line.split()
            name = inodes.get(f"socket:[{cells[9]}]")
            if cells[3] == "0A" and name is not None:
                ports[int(cells[1].rpartition(":")[2], 16)] = name
    return ports


def can_connect(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=5):
            return True
    except OSError:
        return False


def grpc_status(port: int, method: str, token: str | None) -> str | None:
    """The status code of an empty call; None if the port does not speak gRPC."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", f"127.0.0.1:{port}"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    if token is not None:
        headers.append(("authorization", f"Bearer {token}"))
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(1, headers)
    connection.send_data(1, b"\0\0\0\0\0", end_stream=True)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
        stream.sendall(connection.data_to_send())
        with contextlib.suppress(h2.exceptions.ProtocolError):
            while data := stream.recv(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.TrailersReceived | h2.events.ResponseReceived):
                        status = dict(event.headers).get("grpc-status")
                        if status is not None:
                            return str(status)
                stream.sendall(connection.data_to_send())
    return None


def http_status(port: int, token: str | None) -> int:
    """The status code of `GET /` over HTTP/1.1."""
    authorization = f"Authorization: Bearer {token}\r\n" if token is not None else ""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}Connection: close\r\n\r\n"
        stream.sendall(request.encode())
        return int(stream.recv(65536).split()[1])
