"""Keep the token pair in Redis, with redis-py's own lock: for many workers, several teams or deployments."""

from __future__ import annotations

from typing import Any

from airflow_provider_alloincognito.api.tokens.pair import TokenPair
from airflow_provider_alloincognito.errors import AlloincognitoMissingExtraError, AlloincognitoTokenStoreError
from airflow_provider_alloincognito.hooks.encryption import Seal

try:
    import redis
    import redis.lock
    from airflow.providers.redis.hooks.redis import RedisHook
except ImportError as error:
    raise AlloincognitoMissingExtraError("The token store redis://", "redis") from error

PREFIX = "alloincognito:token"


class RedisTokenStore:
    """
    A :class:`LockingTokenStore` with one entry for the pair and one for the lock.

    :param redis_conn_id: Airflow Connection of the type ``redis``.
    :param server: scheme, lower-case host and port, as in :class:`Settings`.
    :param authorization_token: without spaces around it.
    :param masks: see :class:`Seal`.
    """

    def __init__(self, redis_conn_id: str, server: str, authorization_token: str, *, masks: bool = True) -> None:
        self._redis_conn_id = redis_conn_id
        self._seal = Seal(server, authorization_token, masks=masks)
        self._pair_key = f"{PREFIX}:pair:{self._seal.digest}"
        self._lock_key = f"{PREFIX}:lock:{self._seal.digest}"
        self._client: redis.Redis | None = None
        self._lock: redis.lock.Lock | None = None

    def load(self) -> TokenPair | None:
        """Return the stored pair, or None."""
        sealed: Any = self._execute("get", self._pair_key)
        if sealed is None:
            return None
        text = sealed.decode() if isinstance(sealed, bytes) else sealed
        return self._seal.decrypt_pair(text, self._pair_key)

    def save(self, pair: TokenPair) -> None:
        """Store ``pair`` in place of the one before."""
        self._execute("set", self._pair_key, self._seal.encrypt_pair(pair))

    def lock(self, lease: float, timeout: float) -> None:
        """Take the lock for ``lease`` seconds; fail if it is not free within ``timeout`` seconds."""
        # Not thread-local: a trigger's steps run in different threads.
        lock = redis.lock.Lock(self._connected(), self._lock_key, timeout=lease, thread_local=False)
        try:
            taken = lock.acquire(blocking=True, blocking_timeout=timeout)
        except redis.RedisError as error:
            raise self._store_error(error) from None
        if not taken:
            raise AlloincognitoTokenStoreError(
                f"Could not lock the token pair within {timeout:.0f} s: another task holds it. Another try may succeed."
            )
        self._lock = lock

    def extend(self) -> None:
        """Hold the lock for a whole lease from now on; fail if it is no longer held."""
        try:
            if self._lock is not None:
                self._lock.reacquire()
        except redis.RedisError as error:
            raise self._store_error(error) from None

    def unlock(self) -> None:
        """Release the lock if it is held."""
        lock, self._lock = self._lock, None
        try:
            if lock is not None:
                lock.release()
        except redis.RedisError:
            pass  # it has expired, or will

    def _connected(self) -> redis.Redis:
        if self._client is None:
            self._client = RedisHook(redis_conn_id=self._redis_conn_id).get_conn()
        return self._client

    def _execute(self, command: str, *arguments: str) -> Any:
        try:
            return getattr(self._connected(), command)(*arguments)
        except redis.RedisError as error:
            raise self._store_error(error) from None

    def _store_error(self, error: Exception) -> AlloincognitoTokenStoreError:
        return AlloincognitoTokenStoreError(
            f"Could not use Redis, which keeps the token pair ({type(error).__name__}). Check the Connection "
            f"{self._redis_conn_id!r}."
        )
