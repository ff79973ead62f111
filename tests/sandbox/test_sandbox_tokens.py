"""Tokens: the three kinds, and the one pair that is valid."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import requests
from sandbox_client import BY_HASH, CALL_LIST, CREATE, MONDAY, RECORD_FILE, REFRESH, PlainClient

from airflow_provider_alloincognito.sandbox import Sandbox


def claims(token: str) -> dict[str, Any]:
    header, payload, signature = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert len(base64.urlsafe_b64decode(signature + "==")) == 32
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return document


def test_create_returns_a_bare_pair_of_strings(client: PlainClient) -> None:
    pair = client.create()
    assert list(pair) == ["accessToken", "accessTokenExpiredIn", "refreshToken", "refreshTokenExpiredIn"]
    assert all(isinstance(value, str) for value in pair.values())


def test_access_lives_24_hours_and_refresh_25(client: PlainClient) -> None:
    pair = client.create()
    now = datetime.now().astimezone()
    for name, hours in (("access", 24), ("refresh", 25)):
        ends = datetime.fromisoformat(pair[f"{name}TokenExpiredIn"])
        assert abs(ends - now - timedelta(hours=hours)) < timedelta(seconds=10)
        assert abs(claims(pair[f"{name}Token"])["exp"] - ends.timestamp()) <= 1


def test_tokens_are_jwts_and_all_different(client: PlainClient) -> None:
    tokens = [client.create()[name] for _ in range(3) for name in ("accessToken", "refreshToken")]
    assert len(set(tokens)) == 6
    for token in tokens:
        assert set(claims(token)) >= {"p_token_id", "roles", "contract", "app", "exp"}
    assert claims(tokens[0])["roles"] == ["api:integrationapi:access"]


def test_each_token_is_valid_for_its_own_use_only(client: PlainClient, recorded: dict[str, Any]) -> None:
    client.create()
    authorization, access = client.sandbox.authorization_token, client.pair["accessToken"]
    refresh = client.pair["refreshToken"]
    for token in (access, refresh, "nonsense", None):
        assert client.get(CREATE, token).status_code == 401
    for token in (access, authorization, "nonsense", None):
        assert client.get(REFRESH, token).status_code == 401
    for token in (authorization, refresh, "nonsense"):
        assert client.call_list(token).status_code == 401
        assert client.get(RECORD_FILE, token, recordFileId=recorded["recordFileId"]).status_code == 401
        assert client.get(BY_HASH, token, requestHash="x").status_code == 401
    # The pair is still valid.
    assert client.call_list(access).status_code == 200
    assert len(client.sandbox.rotations) == 1


def test_the_token_must_be_sent_as_bearer(client: PlainClient) -> None:
    for header in (client.access, f"Basic {client.access}", "Bearer", "Bearer "):
        response = client.session.post(
            client.sandbox.url + CALL_LIST, json=MONDAY, headers={"Authorization": header}, timeout=5
        )
        assert response.status_code == 401


@pytest.mark.parametrize("how", ["create", "refresh", "stranger"])
def test_a_new_pair_invalidates_both_tokens_of_the_old_one(client: PlainClient, how: str) -> None:
    old = client.create()
    if how == "create":
        client.create()
    elif how == "refresh":
        assert client.refresh().status_code == 200
    else:
        client.sandbox.kill_pair()
    assert client.call_list(old["accessToken"]).status_code == 401
    assert client.get(REFRESH, old["refreshToken"]).status_code == 401
    if how != "stranger":
        assert client.call_list().status_code == 200
    assert [rotation.by for rotation in client.sandbox.rotations] == ["create", how]
    assert client.sandbox.rotations[-1].killed == "living"


def test_only_one_of_many_concurrent_refreshes_succeeds(sandbox: Sandbox, client: PlainClient) -> None:
    refresh = client.create()["refreshToken"]

    def send_refresh(_: int) -> requests.Response:
        return requests.get(sandbox.url + REFRESH, headers={"Authorization": f"Bearer {refresh}"}, timeout=10)

    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(send_refresh, range(36)))
    assert sorted(response.status_code for response in responses) == [200] + [401] * 35
    assert len(sandbox.rotations) == 2


def test_only_one_of_many_concurrent_new_pairs_is_valid(sandbox: Sandbox, client: PlainClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        clients = [PlainClient(sandbox) for _ in range(16)]
        pairs = list(pool.map(PlainClient.create, clients))
    for one in clients:
        one.session.close()
    statuses = [client.call_list(pair["accessToken"]).status_code for pair in pairs]
    assert sorted(statuses) == [200] + [401] * 15
    assert [rotation.number for rotation in sandbox.rotations] == list(range(1, 17))


def test_a_new_authorization_token_invalidates_all_earlier_tokens(client: PlainClient) -> None:
    old, pair = client.sandbox.authorization_token, client.create()
    new = client.sandbox.remake_authorization_token()
    assert new == client.sandbox.authorization_token != old
    assert client.get(CREATE, old).status_code == 401
    assert client.call_list(pair["accessToken"]).status_code == 401
    assert client.get(REFRESH, pair["refreshToken"]).status_code == 401
    client.create()
    assert client.call_list().status_code == 200


def test_lifetimes_can_be_fractions_of_a_second(client: PlainClient) -> None:
    client.sandbox.configure(access_lifetime=0.8, refresh_lifetime=60)
    client.create()
    assert client.call_list().status_code == 200
    time.sleep(0.81)
    assert client.call_list().status_code == 401
    client.sandbox.configure(access_lifetime=0.1, refresh_lifetime=0.2)
    assert client.refresh().status_code == 200
    time.sleep(0.21)
    assert client.refresh().status_code == 401
    client.create()
    assert [one.killed for one in client.sandbox.rotations] == ["none", "access_expired", "expired"]


def test_tokens_can_be_expired_on_demand(client: PlainClient) -> None:
    client.create()
    client.sandbox.expire_access()
    assert client.call_list().status_code == 401
    assert client.refresh().status_code == 200
    client.sandbox.expire_pair()
    assert client.refresh().status_code == 401


@pytest.mark.parametrize("how", ["auth", "error"])
def test_an_early_refresh_that_is_rejected_leaves_the_pair_valid(client: PlainClient, how: str) -> None:
    client.sandbox.configure(early_refresh="refused", early_refresh_answer=how)
    client.create()
    response = client.refresh()
    assert response.status_code == (401 if how == "auth" else 200)
    assert response.json()["error"]["errorMessage"]
    assert client.call_list().status_code == 200
    client.sandbox.expire_access()
    assert client.refresh().status_code == 200
    assert client.call_list().status_code == 200


@pytest.mark.parametrize(("status", "code"), [(401, 401), (403, 403), (200, 401)])
def test_how_a_bad_token_is_rejected(client: PlainClient, status: int, code: int) -> None:
    client.sandbox.configure(auth_rejection=status)
    for response in (client.get(CREATE, "bad"), client.get(REFRESH, "bad"), client.call_list("bad")):
        assert response.status_code == status
        assert response.json()["error"]["errorCode"] == code
        assert response.json()["result"] is None
    client.sandbox.configure(auth_error_code="E-17", quote_tokens=False)
    response = client.call_list("worse")
    assert response.json()["error"]["errorCode"] == "E-17"
    assert "worse" not in response.text


def test_a_rejection_quotes_the_token(client: PlainClient) -> None:
    assert "bad.bad.bad" in client.call_list("bad.bad.bad").json()["error"]["errorMessage"]


def test_a_missing_right_is_not_a_bad_token(client: PlainClient) -> None:
    client.create()
    client.sandbox.configure(forbidden_methods=["getcalllist"])
    assert client.call_list().status_code == 403
    assert client.call_list("bad").status_code == 401
    assert client.get(RECORD_FILE, client.access, recordFileId="x").status_code == 200
    assert client.sandbox.requests[-3].outcome == "forbidden"


def test_formats_of_the_expiry(client: PlainClient) -> None:
    ends = time.time() + 24 * 3600

    def written(form: str) -> Any:
        client.sandbox.configure(expiry_format=form)
        return client.create()["accessTokenExpiredIn"]

    assert abs(datetime.fromisoformat(written("iso")).timestamp() - ends) < 10
    assert written("iso").endswith("+03:00")
    assert written("iso_z").endswith("Z")
    assert abs(datetime.fromisoformat(written("iso_z")).timestamp() - ends) < 10
    naive = datetime.strptime(written("naive") + "+0300", "%Y-%m-%d %H:%M:%S%z")
    assert abs(naive.timestamp() - ends) < 10
    assert abs(int(written("epoch_s")) - ends) < 10
    assert abs(int(written("epoch_ms")) / 1000 - ends) < 10
    assert abs(int(written("seconds")) - 24 * 3600) < 10
    assert written("none") is None
    assert not any(character.isdigit() for character in written("garbage"))


def test_the_servers_clock_can_be_wrong(client: PlainClient) -> None:
    client.sandbox.configure(clock_skew=-600)
    pair = client.create()
    off = datetime.fromisoformat(pair["accessTokenExpiredIn"]).timestamp() - time.time() - 24 * 3600
    assert -610 < off < -590
    assert abs(claims(pair["accessToken"])["exp"] - time.time() - 24 * 3600 + 600) < 10
    assert client.call_list().status_code == 200


def test_the_claim_exp_can_be_missing_or_text(client: PlainClient) -> None:
    client.sandbox.configure(jwt_exp="none")
    assert "exp" not in claims(client.create()["accessToken"])
    client.sandbox.configure(jwt_exp="string")
    assert isinstance(claims(client.create()["accessToken"])["exp"], str)


def test_the_pair_can_be_under_result(client: PlainClient) -> None:
    client.sandbox.configure(pair_envelope="result")
    document = client.get(CREATE, client.sandbox.authorization_token).json()
    assert document["error"] is None
    assert set(document["result"]) >= {"accessToken", "refreshToken"}


def test_every_issued_token_is_listed(client: PlainClient) -> None:
    first = client.sandbox.authorization_token
    given = [first, *(client.create()[name] for name in ("accessToken", "refreshToken"))]
    client.sandbox.remake_authorization_token()
    assert set(given) <= {*client.sandbox.tokens_ever_issued, client.pair["refreshToken"]}
    assert client.sandbox.authorization_token in client.sandbox.tokens_ever_issued


def test_rotations_are_listed_in_order_with_their_age(client: PlainClient) -> None:
    client.create()
    client.refresh()
    client.sandbox.kill_pair()
    assert [one.killed for one in client.sandbox.rotations] == ["none", "living", "living"]
    assert all(earlier.time <= later.time for earlier, later in pairwise(client.sandbox.rotations))
    assert client.sandbox.rotations[0].killed_age is None
