"""The one token pair: decided without I/O, done by the transports."""
