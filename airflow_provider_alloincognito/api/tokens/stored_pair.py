"""Use the stored pair as it is: for programs beside running tasks, whose pair they must not replace."""

from __future__ import annotations

import math

from airflow_provider_alloincognito.api.answer import verdict
from airflow_provider_alloincognito.api.answer.verdict import Answer
from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.tokens.auth_flow import PairKeeper
from airflow_provider_alloincognito.api.tokens.steps import Flow, Load, Send
from airflow_provider_alloincognito.errors import AlloincognitoNoPairError


class StoredPairKeeper(PairKeeper):
    """A keeper that takes each pair from the store, and neither makes nor renews one."""

    def authorised(self, request: ApiRequest, until: float = math.inf) -> Flow:
        """
        Send ``request`` with the stored pair, or with a newer one if that is rejected. Return its :class:`Answer`.

        :raises AlloincognitoNoPairError: if no pair is stored, or the server accepts none.
        """
        state = self._state
        while True:
            pair = self.pair
            if pair is None or state.was_rejected(pair):
                pair = yield Load()
                if pair is None:
                    raise AlloincognitoNoPairError("No token pair is stored yet.")
                if state.was_rejected(pair):
                    raise AlloincognitoNoPairError("The server does not accept the stored token pair.")
                state.adopt(pair, made_here=False)
            answer: Answer = yield Send(request, pair.access_token)
            if not verdict.token_is_rejected(answer, state.settings):
                return answer
            state.note_rejected(pair)
