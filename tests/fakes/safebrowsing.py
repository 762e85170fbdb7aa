"""A Safe Browsing v4 service on loopback that lists what a test tells it."""

from typing import Any

from tests.fakes.api import ApiServer, Reply, Request


class SafeBrowsingServer(ApiServer):
    """
    Refuses what the real service refuses: another path, another key, 501 addresses.

    Args:
        matches: as in an answer of the service; those asked for are given back.
        failure: sent instead of any answer while it is not None.
    """

    def __init__(self, key: str, matches: list[dict[str, Any]] | None = None) -> None:
        super().__init__(self._reply)
        self.key = key
        self.matches = matches or []
        self.failure: Reply | None = None

    def asked(self) -> list[list[str]]:
        """The addresses of each question."""
        return [
            [entry["url"] for entry in request.json()["threatInfo"]["threatEntries"]]
            for request in self.requests
        ]

    def _reply(self, request: Request) -> Reply:
        if self.failure is not None:
            return self.failure
        if (request.method, request.path) != ("POST", "/v4/threatMatches:find"):
            return Reply.of({"error": {"code": 404, "message": "Not found"}}, 404)
        if request.headers.get("x-goog-api-key") != self.key:
            # Worse than the real one: it quotes the key.
            wrong = request.headers.get("x-goog-api-key")
            message = f"API key {wrong} not valid. Please pass a valid API key."
            return Reply.of({"error": {"code": 400, "message": message}}, 400)
        info = request.json()["threatInfo"]
        urls = [entry["url"] for entry in info["threatEntries"]]
        if (
            not 1 <= len(urls) <= 500
            or "THREAT_TYPE_UNSPECIFIED" in info["threatTypes"]
        ):
            return Reply.of({"error": {"code": 400, "message": "Invalid"}}, 400)
        found = [
            match
            for match in self.matches
            if match["threat"]["url"] in urls
            and match["threatType"] in info["threatTypes"]
        ]
        return Reply.of({"matches": found} if found else {})
