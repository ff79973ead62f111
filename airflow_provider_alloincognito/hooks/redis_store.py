"""The token pair in Redis, behind redis-py's own lock: for many workers, several teams or deployments."""

from __future__ import annotations

from typing import Any

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.errors import AlloincognitoMissingExtraError, AlloincognitoTokenStoreError
from airflow_provider_alloincognito.hooks.sealing import Seal

try:
    import redis
    import redis.lock
    from airflow.providers.redis.hooks.redis import RedisHook
except ImportError as error:
    raise AlloincognitoMissingExtraError("The token store redis://", "redis") from error

PREFIX = "alloincognito:token"


class RedisTokenStore:
    """
    One entry for the pair, one for the lock.

    :param redis_conn_id: Airflow Connection of the type ``redis``.
    :param server: the canonical server.
    :param authorization_token: stripped.
    """

    exclusive = True

    def __init__(self, redis_conn_id: str, server: str, authorization_token: str) -> None:
        self._redis_conn_id = redis_conn_id
        self._seal = Seal(server, authorization_token)
        self._pair_key = f"{PREFIX}:pair:{self._seal.digest}"
        self._lock_key = f"{PREFIX}:lock:{self._seal.digest}"
        self._client: redis.Redis | None = None
        self._lock: redis.lock.Lock | None = None

    def load(self) -> TokenPair | None:
        """The stored pair."""
        sealed: Any = self._ask("get", self._pair_key)
        if sealed is None:
            return None
        text = sealed.decode() if isinstance(sealed, bytes) else sealed
        return self._seal.open_pair(text, self._pair_key)

    def save(self, pair: TokenPair) -> None:
        """Put ``pair`` in the stored one's place."""
        self._ask("set", self._pair_key, self._seal.close_pair(pair))

    def lock(self, lease: float, timeout: float) -> None:
        """Take the lock for ``lease`` seconds; wait ``timeout`` seconds for it."""
        # Not thread-local: a trigger's steps are done by whichever thread is free.
        lock = redis.lock.Lock(self._connected(), self._lock_key, timeout=lease, thread_local=False)
        try:
            taken = lock.acquire(blocking=True, blocking_timeout=timeout)
        except redis.RedisError as error:
            raise self._store_error(error) from None
        if not taken:
            raise AlloincognitoTokenStoreError(
                f"The lock on replacing the token pair was not to be had within {timeout:.0f} s: another task holds "
                "it. Another try may succeed."
            )
        self._lock = lock

    def extend(self) -> None:
        """Hold the lock for a lease more."""
        try:
            if self._lock is not None:
                self._lock.reacquire()
        except redis.RedisError as error:
            raise self._store_error(error) from None

    def unlock(self) -> None:
        """Give the lock back, if it is held."""
        lock, self._lock = self._lock, None
        try:
            if lock is not None:
                lock.release()
        except redis.RedisError:
            pass  # it has run out, or will

    def read_claim(self, of: str) -> str | None:
        """No claims: the store has a lock."""
        raise NotImplementedError

    def write_claim(self, of: str, nonce: str) -> None:
        """No claims: the store has a lock."""
        raise NotImplementedError

    def drop_claim(self, of: str) -> None:
        """No claims: the store has a lock."""
        raise NotImplementedError

    def _connected(self) -> redis.Redis:
        if self._client is None:
            self._client = RedisHook(redis_conn_id=self._redis_conn_id).get_conn()
        return self._client

    def _ask(self, command: str, *arguments: str) -> Any:
        try:
            return getattr(self._connected(), command)(*arguments)
        except redis.RedisError as error:
            raise self._store_error(error) from None

    def _store_error(self, error: Exception) -> AlloincognitoTokenStoreError:
        return AlloincognitoTokenStoreError(
            f"Redis, which keeps the token pair, does not answer ({type(error).__name__}). Check the Connection "
            f"{self._redis_conn_id!r}."
        )
