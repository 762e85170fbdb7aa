"""The network with manners: routes, proxies, pauses."""
