"""How requests travel: requests for tasks, httpx for triggers, one policy for retries."""
