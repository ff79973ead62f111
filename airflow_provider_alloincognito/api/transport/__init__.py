"""How requests are sent: ``requests`` for tasks, ``httpx`` for triggers, one policy of retries for both."""
