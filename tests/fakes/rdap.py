"""
An RDAP server on loopback: IANA's lists and the answers of registries.

    server = RdapServer({"/domain/google.com": shared(...).read_bytes()})
    with server:
        server.bootstrap("com")  # now /dns.json names this server for .com

Source: RFC 9082 (paths), RFC 9224 (lists).
"""

import json
from urllib.parse import unquote

from tests.fakes.api import ApiServer, Reply, Request


class RdapServer(ApiServer):
    """
    Answers by path, which is compared without regard to case; all else is 404.

    Args:
        answers: what to send: bytes of JSON, or a whole reply.
    """

    def __init__(self, answers: dict[str, bytes | Reply] | None = None) -> None:
        super().__init__(self._reply)
        self.answers = dict(answers or {})

    def bootstrap(self, *top_level_domains: str) -> str:
        """The address of the list, which names this server for the domains."""
        services = [[list(top_level_domains), [f"{self.url}/"]]]
        self.answers["/dns.json"] = json.dumps({"services": services}).encode()
        return f"{self.url}/dns.json"

    def asked(self, beginning: str = "/") -> list[str]:
        """The paths asked for that begin so, decoded, in order."""
        paths = [unquote(request.path) for request in self.requests]
        return [path for path in paths if path.startswith(beginning)]

    def _reply(self, request: Request) -> Reply:
        path = unquote(request.path).lower()
        for known, answer in self.answers.items():
            if known.lower() == path:
                return answer if isinstance(answer, Reply) else Reply(body=answer)
        return Reply.of({"errorCode": 404, "title": "not found"}, 404)
