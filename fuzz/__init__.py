"""``make fuzz``: the readers of what a server sends, fed with what no server should send."""
