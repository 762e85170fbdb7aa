"""
A name server on loopback, over UDP and TCP, that answers from a table.

    with DnsServer({"x.test": {"A": ["127.0.8.1"], "MX": ["10 mail.x.test."]}}) as dns:
        ...  # ask dns.address
        assert ("x.test", "A") in dns.questions

Aliases are followed as a resolver does it, `*.x.test` answers for every name below
`x.test`, and a name that is not in the table does not exist. An answer over the size
that the client takes is cut short, so that it comes again over TCP.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Table = Mapping[str, Mapping[str, Sequence[str]]]
# Bytes to send for a query, or None to stay silent.
Script = Callable[[dns.message.QueryMessage], bytes | None]

_ATTEMPTS = 20


def silent(query: dns.message.QueryMessage) -> None:
    """A server that drops the query."""


def says(rcode: dns.rcode.Rcode) -> Script:
    """A server that answers with a code alone."""

    def script(query: dns.message.QueryMessage) -> bytes:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return response.to_wire()

    return script


class DnsServer:
    """
    Args:
        table: records by name and type; names and targets in A-labels.
        scripts: names (`x.test`), or one kind for a name (`x.test AAAA`), that are
            answered by a function instead.
    """

    def __init__(
        self, table: Table, scripts: Mapping[str, Script] | None = None
    ) -> None:
        self.table = {name: dict(records) for name, records in table.items()}
        self.scripts = dict(scripts or {})
        self.questions: list[tuple[str, str]] = []
        self.over_tcp: list[str] = []
        self._tcp, self._udp = _pair()
        self._threads = [
            threading.Thread(target=self._serve_udp),
            threading.Thread(target=self._serve_tcp),
        ]

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._udp.getsockname()
        return host, port

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        address = self.address
        with contextlib.suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", address)  # an empty datagram ends the thread
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def _serve_udp(self) -> None:
        while True:
            data, client = self._udp.recvfrom(65535)
            if not data:
                return
            answer = self._answer(data, is_tcp=False)
            if answer is not None:
                self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return  # closed
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                size = int.from_bytes(client.recv(2), "big")
                answer = self._answer(client.recv(size), is_tcp=True)
                if answer is not None:
                    client.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, data: bytes, *, is_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        assert isinstance(query, dns.message.QueryMessage)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        if is_tcp:
            self.over_tcp.append(name)
        script = self.scripts.get(f"{name} {kind}") or self.scripts.get(name)
        if script is not None:
            return script(query)
        response = self._response(query)
        limit = 65535 if is_tcp else max(query.payload, 512)
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            return short.to_wire()

    def _response(self, query: dns.message.QueryMessage) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        question = query.question[0]
        rdtype = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True)
        records = self._records(name)
        for _ in range(20):
            target = (records or {}).get("CNAME")
            if not target:
                break
            response.answer.append(_rrset(name, "CNAME", target))
            name = target[0].rstrip(".")
            records = self._records(name)
        if records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif records.get(rdtype):
            response.answer.append(_rrset(name, rdtype, records[rdtype]))
            return response
        if (zone := self._zone(name)) is not None:
            soa = f"ns.{zone}. admin.{zone}. 1 2 3 4 5"
            response.authority.append(_rrset(zone, "SOA", [soa]))
        return response

    def _records(self, name: str) -> Mapping[str, Sequence[str]] | None:
        if name in self.table:
            return self.table[name]
        if any(known.endswith(f".{name}") for known in self.table):
            return {}  # it exists, since something stands below it
        labels = name.split(".")
        for start in range(1, len(labels)):
            wildcard = ".".join(["*", *labels[start:]])
            if wildcard in self.table:
                return self.table[wildcard]
        return None

    def _zone(self, name: str) -> str | None:
        """The closest name above that has name servers."""
        labels = name.split(".")
        for start in range(len(labels)):
            zone = ".".join(labels[start:])
            if "NS" in self.table.get(zone, {}):
                return zone
        return None


def _rrset(name: str, rdtype: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(f"{name}.", 60, "IN", rdtype, texts)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Sockets for TCP and UDP on one free port."""
    for _ in range(_ATTEMPTS):
        tcp = socket.create_server(("127.0.0.1", 0), backlog=128)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            continue
        return tcp, udp
    raise RuntimeError("no port is free for both TCP and UDP")


@contextlib.contextmanager
def nobody() -> Iterator[tuple[str, int]]:
    """The address of a name server that is not there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        address = bound.getsockname()
    yield address
