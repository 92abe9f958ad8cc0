"""`/bridges/wechat`: the address that WeChat calls. It is answered with the hub's answer where that is there in time."""

from __future__ import annotations

import logging
import time

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from agent.language import detect_language
from chat_ui.bridges.port import FileRef, Incoming, Place
from chat_ui.bridges.registry import Accept
from chat_ui.bridges.tencent.callback import Callbacks, body_of, callbacks, refused, said
from chat_ui.bridges.tencent.crypto import NotGenuine
from chat_ui.bridges.tencent.xml import BadXml, build, sender
from chat_ui.bridges.wechat.channel import PLATFORM, WeChat, hint, passive
from chat_ui.bridges.wechat.slots import PATIENCE_S, Slot
from hub_core.bridges.links import Person
from hub_core.errors import Unavailable
from hub_core.http.paths import READ
from hub_core.services import Services

log = logging.getLogger(__name__)
PATH = "/bridges/wechat"
OK = "success"
LOOK_S = 0.25
REST_S = 0.6
"""How long a pick-up waits for more once something came: an answer and the approval that it asks for are delivered one after the other."""
PICK_UP = frozenset({"1", "１"})
_FILES = {"image": "picture.jpg", "voice": "voice.amr", "video": "video.mp4", "shortvideo": "video.mp4"}
_OTHERS_LANGUAGE = "zh"


def wechat_router(services: Services, channel: WeChat, accept: Accept, *, patience_s: float = PATIENCE_S) -> APIRouter:
    """The two routes: the check when the address is saved in the console, and messages.

    Raises:
        InvalidInput: the `EncodingAESKey` has a wrong shape.
    """
    settings = services.settings
    genuine = callbacks(settings.wechat_token, settings.wechat_aes_key, settings.wechat_app_id)
    router = APIRouter(include_in_schema=False)

    @router.api_route(PATH, methods=READ)
    async def verify(request: Request) -> Response:
        try:
            return said(genuine.echo(request.query_params)[:512])
        except (NotGenuine, BadXml) as error:
            return refused(PLATFORM, error)

    @router.post(PATH)
    async def receive(request: Request) -> Response:
        query = request.query_params
        try:
            fields = genuine.fields(query, await body_of(request))
            incoming = understood(fields, channel.workspace)
        except (NotGenuine, BadXml) as error:
            return refused(PLATFORM, error)
        if incoming is None:
            text = greeting(fields)
            return _reply(genuine, fields, text) if text else said(OK)
        slot, is_new = channel.slots.open(incoming.event_id, incoming.person)
        until = slot.began + patience_s
        try:
            text = await _answered(services, channel, accept, incoming, slot, until, is_new)
        except Unavailable:
            return said("", 503)  # WeChat sends it again
        return _reply(genuine, fields, text, slot) if text else said(OK)

    return router


async def _answered(services: Services, channel: WeChat, accept: Accept, incoming: Incoming, slot: Slot, until: float, is_new: bool) -> str:
    """What to answer with at once; empty for nothing."""
    if is_new:
        who = Person(incoming.place.platform, incoming.place.workspace, incoming.person)
        waiting = await run_in_threadpool(services.bridges.wake, who, incoming.place.key)
        busy = await run_in_threadpool(services.bridges.is_busy, incoming.place.key)
        if incoming.text.strip() in PICK_UP and not channel.verified and (waiting or busy):
            await _picked_up(services, who, incoming.place.key, slot, until)
        elif not await run_in_threadpool(accept, incoming, slot.close) and not busy:
            slot.close()  # a repetition of what was answered already, elsewhere or before a restart
            return ""
    await slot.wait(until)
    if slot.full and not channel.verified:
        return f"{slot.text}\n\n{hint(_language(incoming), 'more')}".strip()
    if slot.text or channel.verified:
        return slot.text
    return hint(_language(incoming), "working")


async def _picked_up(services: Services, who: Person, place: str, slot: Slot, until: float) -> None:
    """Collect what was kept for a person; what is still being worked on counts, if it is done in time."""
    came = 0.0
    while not slot.full and time.monotonic() < until:
        if slot.text and not came:
            came = time.monotonic()
        if came and time.monotonic() - came > REST_S:
            break
        await run_in_threadpool(services.bridges.wake, who, place)
        await anyio.sleep(LOOK_S)
    slot.close()


def understood(fields: dict[str, str], workspace: str) -> Incoming | None:
    """A message as an event; None where there is nothing for the hub to do.

    Raises:
        BadXml: fields are missing that every message has.
    """
    person, kind = sender(fields)
    number = fields.get("MsgId", "")
    event_id = (number or f"{person}:{fields.get('CreateTime', '')}:{fields.get('Event', '')}")[:200]
    place = Place(PLATFORM, workspace, person, reply=event_id)
    text = {"text": fields.get("Content", ""), "voice": fields.get("Recognition", "")}.get(kind, "")
    if kind == "event" and fields.get("Event") == "CLICK":
        text = fields.get("EventKey", "")
    if text.strip():
        return Incoming(event_id, place, person, text=text.strip())
    if kind in _FILES and fields.get("MediaId"):
        return Incoming(event_id, place, person, files=(FileRef(fields["MediaId"], _FILES[kind]),))
    return None


def greeting(fields: dict[str, str]) -> str:
    """What to say to somebody who just followed the account, or sent what the hub cannot read; empty for nothing."""
    if fields.get("MsgType") == "event":
        return hint(_OTHERS_LANGUAGE, "welcome") if fields.get("Event") == "subscribe" else ""
    return hint(_OTHERS_LANGUAGE, "unreadable")


def _language(incoming: Incoming) -> str:
    return detect_language(incoming.text, _OTHERS_LANGUAGE)


def _reply(genuine: Callbacks, fields: dict[str, str], text: str, slot: Slot | None = None) -> Response:
    now = int(time.time())
    xml = genuine.reply(build(passive(fields, text, now)), str(now), f"{time.monotonic_ns()}")
    return Response(xml, media_type="application/xml", background=BackgroundTask(slot.is_on_its_way) if slot is not None else None)
