"""
The one token pair of a deployment: what to do is decided here, without I/O; the transports do it.

``auth_flow``: how a request is authenticated, and what follows an HTTP 401. ``replacement``: how another pair is got.
``state``: what this process knows. ``steps``: what a transport is asked to do. ``stores``: what a token store must
offer. ``pair``: the value.
"""
