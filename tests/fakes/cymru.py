"""
A name server on loopback that answers TXT as origin.asn.cymru.com does.

    with CymruServer({"8.8.8.0/24": ["15169 | 8.8.8.0/24 | US | arin |"]}) as server:
        resolver = server.resolver()
"""

import ipaddress
import socket
import threading
from types import TracebackType
from typing import Self

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class CymruServer:
    """
    Args:
        origins: the records of every address in a network.
        names: the record of an AS, by `AS15169`.
    """

    def __init__(
        self, origins: dict[str, list[str]], names: dict[str, str] | None = None
    ) -> None:
        self.origins = {ipaddress.ip_network(n): texts for n, texts in origins.items()}
        self.names = names or {}
        self.questions: list[str] = []
        self.rcode = dns.rcode.NOERROR
        self.is_silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def resolver(self, timeout_s: float = 5.0) -> dns.asyncresolver.Resolver:
        """One that asks this server alone."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        host, port = self._socket.getsockname()
        resolver.nameservers = [host]
        resolver.port = port
        resolver.timeout = resolver.lifetime = timeout_s
        return resolver

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                packet, peer = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            question = dns.message.from_wire(packet)
            name = str(question.question[0].name).rstrip(".").lower()
            self.questions.append(name)
            if not self.is_silent:
                self._socket.sendto(self._answer(question, name).to_wire(), peer)

    def _answer(self, question: dns.message.Message, name: str) -> dns.message.Message:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.rcode != dns.rcode.NOERROR:
            answer.set_rcode(self.rcode)
            return answer
        texts = self._texts(name)
        if not texts:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        quoted = [f'"{text}"' for text in texts]
        answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *quoted))
        return answer

    def _texts(self, name: str) -> list[str]:
        labels, _, zone = name.partition(".origin")
        if not zone:
            text = self.names.get(name.partition(".")[0].upper())
            return [text] if text else []
        if zone == "6.asn.cymru.com":
            digits = "".join(reversed(labels.split("."))).ljust(32, "0")
            address = ipaddress.ip_address(bytes.fromhex(digits))
        else:
            address = ipaddress.ip_address(".".join(reversed(labels.split("."))))
        for network, texts in self.origins.items():
            if address in network:
                return texts
        return []
