"""What is said while WeChat waits for an answer is collected and goes out together; what comes later, or does not fit, does not."""

from __future__ import annotations

import asyncio
import threading
import time

from chat_ui.bridges.wechat.slots import Slot, Slots
from tests.common.loops import finish


def wait(slot: Slot, seconds: float) -> str:
    finish(slot.wait(time.monotonic() + seconds))
    return slot.text


def test_texts_are_collected_until_all_is_said() -> None:
    slot = Slot("alice", 100)
    said = threading.Thread(target=lambda: (slot.put("one"), slot.put("two"), slot.close()))
    said.start()
    assert wait(slot, 20) == "one\n\ntwo"
    said.join()


def test_what_comes_too_late_is_refused() -> None:
    slot = Slot("alice", 100)
    assert slot.put("one")
    assert wait(slot, 0.0) == "one"
    assert not slot.put("two")
    assert slot.text == "one" and not slot.full


def test_what_does_not_fit_ends_it_at_once() -> None:
    slot = Slot("alice", 10)
    assert slot.put("说说说") and not slot.put("x")
    assert slot.full and wait(slot, 20) == "说说说"


def test_a_repetition_has_the_same_answer() -> None:
    slots = Slots(100)
    (first, new), (again, old) = slots.open("m1", "alice"), slots.open("m1", "alice")
    assert (first is again, new, old) == (True, True, False)
    first.put("one")
    first.close()

    async def both() -> list[None]:
        return await asyncio.gather(*(slot.wait(time.monotonic() + 20) for slot in (first, again)))

    finish(both())
    assert again.text == "one"


def test_something_is_said_in_answer_to_whatever_a_person_wrote_last() -> None:
    slots = Slots(100)
    older, newer, other = (slots.open(name, person)[0] for name, person in (("m1", "alice"), ("m2", "alice"), ("m3", "bob")))
    assert slots.put_anywhere("alice", "one")
    assert (older.text, newer.text, other.text) == ("", "one", "")
    newer.close()
    older.close()
    assert not slots.put_anywhere("alice", "two")


def test_what_follows_waits_until_the_answer_is_on_its_way() -> None:
    slot = Slot("alice", 100)
    slot.wait_sent()  # nothing was said here, so there is nothing to wait for
    slot.put("one")
    order: list[str] = []
    follows = threading.Thread(target=lambda: (slot.wait_sent(), order.append("after")))
    follows.start()
    order.append("answer")
    slot.is_on_its_way()
    follows.join(20)
    assert order == ["answer", "after"]
