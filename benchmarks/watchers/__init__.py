"""Many watchers on one loop."""
