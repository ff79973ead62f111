"""The sandbox's description of its own API, in every way in which a server may offer it."""
