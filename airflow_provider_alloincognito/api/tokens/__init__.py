"""The one token pair of a deployment: what to do is decided here, without I/O; the transports do it."""
