"""``GET /config``: one document for whoever polls, with an ETag, and with patience if asked for.

Which one: the only one there is, ``?gateway=namespace/name`` (managed mode) or ``?class=name`` (legacy mode).
``?wait=30s`` holds the answer back until the document is another than ``If-None-Match`` names (or until there is
one at all); it comes at once with the change. ``?format=yaml`` spells it as YAML; ``?node=N`` puts the address of
that node in.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from aiohttp import ETag, web

from stunnergw.serving.answering import NO_STORE, NOTHING_KNOWN, answer, node_unknown, problem
from stunnergw.serving.authorizing import peer_of
from stunnergw.serving.questions import Question, read_question
from stunnergw.serving.yaml_spelling import as_yaml

if TYPE_CHECKING:
    from stunnergw.resources.metadata import Key
    from stunnergw.serving.authorizing import MayRead, Peer
    from stunnergw.serving.publishing import Publications

REASONS_SHOWN = 5


class _Found(NamedTuple):
    """What a question comes to at one moment: an answer, and whether it is worth waiting for another."""

    response: web.Response
    settled: bool


class Polling:
    """Answers ``/config``."""

    def __init__(self, publications: Publications, *, may_read: MayRead, legacy: bool) -> None:
        self._publications = publications
        self._may_read = may_read
        self._legacy = legacy

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered, and by whom."""
        return [web.get("/config", self.get_config)]

    async def get_config(self, request: web.Request) -> web.StreamResponse:
        """Answer with the document asked for, once it is there and new."""
        question = read_question(request.query, legacy=self._legacy)
        if isinstance(question, str):
            return problem(400, question)
        if question.node and len(keys := self._candidates(request, question)) == 1:
            await self._publications.settled(keys[0], node=question.node)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + question.wait
        while True:
            found = self._look(request, question)
            if found.settled or self._publications.closed or loop.time() >= deadline:
                return found.response
            try:
                async with asyncio.timeout_at(deadline):
                    await self._publications.change(question.key)
            except TimeoutError:
                return self._look(request, question).response

    def _look(self, request: web.Request, question: Question) -> _Found:
        peer = peer_of(request)
        if question.key is not None and not self._may_read(peer, question.key):
            refusal = f"reading the config of {question.key} is not allowed from {peer.host}"
            return _Found(problem(403, refusal), settled=True)
        keys = self._candidates(request, question)
        if len(keys) > 1:
            return _Found(self._choose_among(keys), settled=True)
        publication = self._publications.get(keys[0]) if keys else None
        if publication is None:
            return _Found(self._nothing(peer, question.key), settled=False)
        body = self._publications.body(publication, node=question.node)
        if body is None:
            return _Found(problem(503, node_unknown(question.node)), settled=False)
        return _serve(body, request=request, yaml=question.yaml)

    def _candidates(self, request: web.Request, question: Question) -> list[Key]:
        if question.key is not None:
            return [question.key]
        peer = peer_of(request)
        return [key for key in self._publications.in_scope() if self._may_read(peer, key)]

    def _choose_among(self, keys: list[Key]) -> web.Response:
        parameter = "class" if self._legacy else "gateway"
        choices = [{"name": str(key), "url": f"/config?{parameter}={quote(str(key))}"} for key in keys]
        message = f"there are {len(keys)} configs: choose one with ?{parameter}="
        return problem(300, message, choices=choices)

    def _nothing(self, peer: Peer, key: Key | None) -> web.Response:
        """Say why there is no document."""
        if self._publications.snapshot is None:
            return problem(503, NOTHING_KNOWN)
        if key is not None:
            reason = self._publications.undecided(key)
            undecided = {} if reason is None else {key: reason}
        else:
            everything = self._publications.all_undecided().items()
            undecided = {other: why for other, why in everything if self._may_read(peer, other)}
        owner = "GatewayClass" if self._legacy else "Gateway"
        if undecided:
            return problem(503, _undecided_in_words(undecided, owner=owner))
        if key is None:
            return problem(404, f"there is no config: no {owner} of this operator's is there")
        return problem(404, f"Config not found for ID {key}")


def _serve(body: bytes, *, request: web.Request, yaml: bool) -> _Found:
    if yaml:
        body = as_yaml(body)
    tag = ETag(blake2b(body, digest_size=16).hexdigest())
    headers = {"ETag": f'"{tag.value}"'}
    if any(known.value in (tag.value, "*") for known in request.if_none_match or ()):
        return _Found(web.Response(status=304, headers={**NO_STORE, **headers}), settled=False)
    content_type = "application/yaml" if yaml else "application/json"
    return _Found(answer(body, content_type=content_type, headers=headers), settled=True)


def _undecided_in_words(undecided: dict[Key, str], *, owner: str) -> str:
    shown = [f"{owner} {key}: {reason}" for key, reason in list(undecided.items())[:REASONS_SHOWN]]
    if len(undecided) > REASONS_SHOWN:
        shown.append(f"and {len(undecided) - REASONS_SHOWN} more")
    return f"no config is decided yet: {'; '.join(shown)}"
