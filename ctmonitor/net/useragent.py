"""How this program names itself to logs and services that it asks."""

from ctmonitor import __version__
from ctmonitor.errors import ConfigError

NO_CONTACT = (
    "some logs let clients without a contact in their User-Agent read slowly or not at "
    "all"
)


def user_agent(contact: str) -> str:
    """
    The User-Agent.

    Args:
        contact: an address at which their operators can reach ours; empty for none.

    Raises:
        ConfigError: no header can hold it.
    """
    if not (contact.isascii() and contact.isprintable()):
        raise ConfigError(
            f"The contact {contact!r} cannot be sent. Give an e-mail address, or a web "
            "address, in ASCII."
        )
    return f"ctmonitor/{__version__}" + (f" (+{contact})" if contact else "")
