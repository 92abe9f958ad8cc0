"""`/bridges/wecom`: the address that WeCom calls. Events are kept and answered with nothing; the answer follows as a message."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from chat_ui.bridges.port import FileRef, Incoming, Place
from chat_ui.bridges.registry import Accept
from chat_ui.bridges.tencent.callback import body_of, callbacks, refused, said
from chat_ui.bridges.tencent.crypto import NotGenuine
from chat_ui.bridges.tencent.xml import BadXml, sender
from chat_ui.bridges.wecom.cards import pressed
from chat_ui.bridges.wecom.channel import PLATFORM
from hub_core.errors import InvalidInput, Unavailable
from hub_core.http.paths import READ
from hub_core.settings import Settings

log = logging.getLogger(__name__)
PATH = "/bridges/wecom"
_FILES = {"image": "picture.jpg", "voice": "voice.amr", "video": "video.mp4"}


def wecom_router(settings: Settings, accept: Accept) -> APIRouter:
    """The two routes: the check when the address is saved in the console, and messages.

    Raises:
        InvalidInput: the `EncodingAESKey` is missing or has a wrong shape: WeCom encrypts always.
    """
    if not settings.wecom_aes_key:
        raise InvalidInput("HUB_WECOM_AES_KEY is missing.", hint="WeCom encrypts always: see docs/settings.md.")
    genuine = callbacks(settings.wecom_token, settings.wecom_aes_key, settings.wecom_corp_id)
    router = APIRouter(include_in_schema=False)

    @router.api_route(PATH, methods=READ)
    async def verify(request: Request) -> Response:
        try:
            return said(genuine.echo(request.query_params))
        except (NotGenuine, BadXml) as error:
            return refused(PLATFORM, error)

    @router.post(PATH)
    async def receive(request: Request) -> Response:
        try:
            incoming = understood(genuine.fields(request.query_params, await body_of(request)), settings.wecom_corp_id)
        except (NotGenuine, BadXml) as error:
            return refused(PLATFORM, error)
        try:
            if incoming is not None:
                await run_in_threadpool(accept, incoming)
        except Unavailable:
            return said("", 503)  # WeCom sends it again
        return said("")

    return router


def understood(fields: dict[str, str], corp: str) -> Incoming | None:
    """A message as an event; None where there is nothing for the hub to do.

    Raises:
        BadXml: fields are missing that every message has.
    """
    person, kind = sender(fields)
    place = Place(PLATFORM, corp, person)
    if kind == "event":
        return _event(fields, place, person)
    number = fields.get("MsgId", "") or f"{person}:{fields.get('CreateTime', '')}:{kind}"
    if kind == "text" and fields.get("Content", "").strip():
        return Incoming(number[:200], place, person, text=fields["Content"].strip())
    if kind in _FILES and fields.get("MediaId"):
        return Incoming(number[:200], place, person, files=(FileRef(fields["MediaId"], _FILES[kind]),))
    return None


def _event(fields: dict[str, str], place: Place, person: str) -> Incoming | None:
    """A pressed button. A press and its repetitions have one response code; without one, the card and the time say which it is."""
    if fields.get("Event") != "template_card_event":
        return None
    approval_id, decision, text = pressed(fields.get("EventKey", ""))
    if not decision and not text:
        return None
    name = fields.get("ResponseCode") or f"{fields.get('TaskId', '')}:{fields.get('CreateTime', '')}"
    return Incoming(f"press:{name}"[:200], place, person, text=text, approval_id=approval_id, decision=decision)
