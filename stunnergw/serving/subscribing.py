"""One watch, from the upgrade to the end.

The client is handed to the fan-out, which writes; here it is only read: pings are answered (stunnerd hangs up 8 s
after the last pong), everything else that a client may send is ignored. The watch ends when the client goes, when
it has been silent for a minute (stunnerd pings every 5 s), or when the server stops.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSMsgType, web

from stunnergw.serving.answering import problem
from stunnergw.serving.authorizing import peer_of
from stunnergw.serving.clients import Client

if TYPE_CHECKING:
    from stunnergw.serving.fanout import Fanout
    from stunnergw.serving.publishing import Scope

log = structlog.get_logger(__name__)

SILENT_AT_MOST = 60.0
"""Seconds without any message or ping from a client, after which nobody is taken to be there."""
MESSAGE_AT_MOST = 4096
"""Bytes of a message from a client: there is nothing that it has to say."""
GOING_AWAY = 1001

_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


async def watch(request: web.Request, *, scope: Scope, fanout: Fanout) -> web.StreamResponse:
    """Serve a watch of ``scope`` until it ends."""
    if fanout.closing:
        return problem(503, "the server is stopping; come again in a second")
    # Pings are answered here, so that a client which does not read cannot pile up pongs. No pings of ours: they
    # are no sign of life to stunnerd. writer_limit: aiohttp's own frames never wait for the client either.
    socket = web.WebSocketResponse(
        autoping=False,
        autoclose=False,
        compress=False,
        heartbeat=None,
        max_msg_size=MESSAGE_AT_MOST,
        receive_timeout=SILENT_AT_MOST,
        timeout=1.0,
        writer_limit=sys.maxsize,
    )
    try:
        await socket.prepare(request)
    except web.HTTPBadRequest as refused:
        return problem(400, f"watch=true wants a WebSocket: {refused.text}")
    if request.transport is not None:
        client = Client(request.transport, scope=scope, peer=peer_of(request), node=request.query.get("node") or None)
        await _serve(client, socket, fanout=fanout)
    return socket


async def _serve(client: Client, socket: web.WebSocketResponse, *, fanout: Fanout) -> None:
    log.debug("data plane came", peer=str(client.peer), config=client.watches)
    try:
        fanout.admit(client)
        await _listen(client, socket, fanout=fanout)
    finally:
        fanout.leave(client)
        client.hang_up()
        log.debug("data plane went", peer=str(client.peer), config=client.watches)


async def _listen(client: Client, socket: web.WebSocketResponse, *, fanout: Fanout) -> None:
    while True:
        try:
            message = await socket.receive()
        except TimeoutError:
            log.info("data plane is silent: closed", peer=str(client.peer), config=client.watches)
            client.say_goodbye(GOING_AWAY, "nothing came for a minute")
            return
        if message.type is WSMsgType.PING:
            fanout.pong(client, bytes(message.data))
        elif message.type in _ENDS:
            return
