"""The smallest file of settings, and how a line is added to it."""

NEEDED = "[SEARCH]\nSearchKeywords = paypal\n[SERVER]\nACTServer = ws://127.0.0.1/\n"


def with_line(section: str, line: str) -> str:
    """The smallest file that can be used, with one more line in a section."""
    if f"[{section}]\n" in NEEDED:
        key = line.split("=")[0].strip()
        kept = [li for li in NEEDED.splitlines() if not li.startswith(f"{key} =")]
        return "\n".join(kept).replace(f"[{section}]", f"[{section}]\n{line}") + "\n"
    return f"{NEEDED}[{section}]\n{line}\n"
