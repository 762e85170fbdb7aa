"""
Questions to name servers: over UDP, over TCP where an answer is cut short.

One socket serves the few questions about one host and is closed then: a thousand hosts
at a time hold a thousand sockets at most, and every host has a port drawn anew, which
whoever wants to forge an answer has to guess.

Source: RFC 1035 section 4, RFC 2308 (no such name, no such data), RFC 6891 (EDNS,
payload 1232 as of DNS flag day 2020), RFC 7505 (no mail at all).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

import dns.asyncquery
import dns.entropy
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from ctmonitor.model.site import DnsState
from ctmonitor.model.text import shortened

_PAYLOAD_BYTES = 1232
_MAX_RECORDS = 256  # of one kind; an answer over TCP may hold thousands

Server = tuple[str, int]  # address and port


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What was said to one question; names in lower case without trailing dot.

    Args:
        state: FOUND with records of the kind asked for; NO_ADDRESS without.
        texts: addresses or host names, in the server's order, mail by preference.
        cnames: the aliases on the way, without the name itself.
        zone: whose SOA came with an answer without records.
    """

    state: DnsState
    texts: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    zone: dns.name.Name | None = None
    detail: str = ""

    @property
    def has_failed(self) -> bool:
        return self.state in (DnsState.SERVFAIL, DnsState.TIMEOUT)


class DnsClient:
    """
    Asks `servers` in turn about one host; a context manager that owns its sockets.

    Args:
        servers: at least one.
        timeout_s: for one question, all servers and attempts together.
        attempts: how often each server is asked; UDP loses packets.
    """

    def __init__(
        self, servers: Sequence[Server], timeout_s: float, attempts: int = 2
    ) -> None:
        self._servers = servers
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._sockets: dict[Server, _Socket] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in self._sockets.values():
            opened.close()

    async def ask(self, name: dns.name.Name, rdtype: str) -> Answer:
        """
        The first answer; SERVFAIL or TIMEOUT when no server gave a usable one.

        Args:
            rdtype: `A`, `AAAA`, `NS` or `MX`.
        """
        query = dns.message.make_query(name, rdtype, use_edns=0, payload=_PAYLOAD_BYTES)
        failure = Answer(DnsState.TIMEOUT, detail="no name server answered in time")
        each_s = self._timeout_s / (self._attempts * len(self._servers))
        for _ in range(self._attempts):
            for server in self._servers:
                try:
                    async with asyncio.timeout(each_s):
                        message = await self._ask_one(server, query)
                    answer = _read(message)
                except TimeoutError:
                    continue
                # What else: a message whose parts contradict each other.
                except (dns.exception.DNSException, OSError, ValueError) as exc:
                    detail = shortened(str(exc) or type(exc).__name__)
                    failure = Answer(DnsState.SERVFAIL, detail=detail)
                    continue
                if not answer.has_failed:
                    return answer
                failure = answer
        return failure

    async def _ask_one(
        self, server: Server, query: dns.message.QueryMessage
    ) -> dns.message.QueryMessage:
        if server not in self._sockets:
            loop = asyncio.get_running_loop()
            _, opened = await loop.create_datagram_endpoint(_Socket, remote_addr=server)
            if server in self._sockets:  # another question was faster
                opened.close()
            else:
                self._sockets[server] = opened
        wire = await self._sockets[server].exchange(query)
        answer = dns.message.from_wire(wire, ignore_trailing=True)
        if not query.is_response(answer):
            raise ValueError("the answer is to another question")
        if answer.flags & dns.flags.TC:
            address, port = server
            answer = await dns.asyncquery.tcp(query, address, port=port)
        return cast(dns.message.QueryMessage, answer)


class _Socket(asyncio.DatagramProtocol):
    """A connected socket: the kernel drops what others than the server send."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        waiting = self._waiting.get(int.from_bytes(data[:2], "big"))
        if waiting is not None and not waiting.done():
            waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        for waiting in self._waiting.values():  # nobody listens there
            if not waiting.done():
                waiting.set_exception(exc)

    async def exchange(self, query: dns.message.QueryMessage) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        while query.id in self._waiting:
            query.id = dns.entropy.random_16()
        self._waiting[query.id] = answer
        try:
            if self._transport is not None:
                self._transport.sendto(query.to_wire())
            return await answer
        finally:
            del self._waiting[query.id]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _read(message: dns.message.QueryMessage) -> Answer:
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        word = dns.rcode.to_text(message.rcode())
        return Answer(DnsState.SERVFAIL, detail=f"the name server says {word}")
    chain = message.resolve_chaining()
    cnames = tuple(_text(alias[0].target) for alias in chain.cnames)
    if chain.answer is not None:
        return Answer(DnsState.FOUND, _texts(chain.answer), cnames)
    if message.rcode() == dns.rcode.NXDOMAIN:
        return Answer(DnsState.NXDOMAIN, cnames=cnames, detail="no such name")
    zone = next(
        (rrs.name for rrs in message.authority if rrs.rdtype == dns.rdatatype.SOA), None
    )
    return Answer(DnsState.NO_ADDRESS, (), cnames, zone, "no such record")


def _texts(records: dns.rrset.RRset) -> tuple[str, ...]:
    items = list(records)[:_MAX_RECORDS]
    match records.rdtype:
        case dns.rdatatype.A | dns.rdatatype.AAAA:
            return tuple(record.address for record in items)
        case dns.rdatatype.MX:
            items.sort(key=lambda record: record.preference)
            # The root stands for "no mail at all".
            return tuple(
                _text(record.exchange)
                for record in items
                if record.exchange != dns.name.root
            )
        case _:
            return tuple(_text(record.target) for record in items)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
