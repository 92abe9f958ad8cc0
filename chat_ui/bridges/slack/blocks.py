"""Messages and cards in Slack's Block Kit (docs.slack.dev/reference/block-kit); its limits are the constants below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat_ui.bridges.port import ApprovalCard, Outgoing
from chat_ui.bridges.text import Code, Table, aligned, segments, unmarked

MAX_MARKDOWN = 12_000  # of all Markdown blocks of a message together
MAX_SECTION = 3000
MAX_NOTICE = 3000
MAX_LABEL, MAX_VALUE, MAX_CHOICES = 75, 2000, 10
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 100, 20, 1000
APPROVE, REJECT, CHOICE = "hubtalk_approve", "hubtalk_reject", "hubtalk_choice"

Block = dict[str, Any]


def message_blocks(message: Outgoing) -> list[Block]:
    """A message: Markdown as Slack draws it, its first table as a table (Slack takes one), others in a font of one width, then buttons."""
    blocks: list[Block] = []
    tables = 0
    for part in segments(message.text):
        if isinstance(part, Table):
            tables += 1
            if tables == 1 and len(part.rows) < MAX_ROWS and len(part.header) <= MAX_COLUMNS:
                blocks.append(_table(part))
            else:
                blocks.append(_markdown(f"```\n{aligned(part)}\n```"))
        elif isinstance(part, Code):
            blocks.append(_markdown(f"```{part.info}\n{part.text}\n```"))
        else:
            blocks.append(_markdown(part))
    if message.choices:
        blocks.append(
            {"type": "actions", "elements": [_choice(label, number) for number, label in enumerate(message.choices[:MAX_CHOICES])]}
        )
    return _joined(blocks)


def notice(text: str) -> str:
    """A text without any marks, for notifications and screen readers."""
    return escaped(unmarked(text))[:MAX_NOTICE] or " "


def card_blocks(card: ApprovalCard) -> list[Block]:
    """A card: what would change, how it stands, and while it waits the two buttons, the first of which asks once more."""
    lines = "\n".join(f"• {escaped(line)}" for line in card.lines)
    blocks: list[Block] = [_section(f"*{escaped(card.title)}*")]
    if lines:
        blocks.append(_section(lines))
    mark = {"pending": "⏳", "approved": "⏳", "executed": "✅", "failed": "⚠️", "rejected": "🚫"}.get(card.status, "⌛")
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"{mark} {escaped(card.state)}"}]})
    if card.pending:
        confirm = {
            "title": _plain(card.approve, 100),
            "text": _plain(card.confirm, 300),
            "confirm": _plain(card.approve, 30),
            "deny": _plain(card.cancel, 30),
            "style": "danger" if card.effect == "destructive" else "primary",
        }
        yes = _button(card.approve, APPROVE, card.approval_id) | {"style": confirm["style"], "confirm": confirm}
        blocks.append({"type": "actions", "elements": [yes, _button(card.reject, REJECT, card.approval_id)]})
    return blocks


def home_view(text: str, cards: Sequence[ApprovalCard]) -> dict[str, Any]:
    """The app's home: a few words, then what waits."""
    blocks: list[Block] = [_section(escaped(text))]
    for card in cards[:15]:
        blocks += [{"type": "divider"}, *card_blocks(card)]
    return {"type": "home", "blocks": blocks}


def escaped(text: str) -> str:
    """A text that mentions nobody and links nowhere by itself."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _joined(blocks: list[Block]) -> list[Block]:
    """Markdown blocks that follow each other as one, and all of them within Slack's limit."""
    joined: list[Block] = []
    left = MAX_MARKDOWN
    for block in blocks:
        if block["type"] == "markdown":
            block["text"] = block["text"][:left]
            left -= len(block["text"])
            if not block["text"]:
                continue
            if joined and joined[-1]["type"] == "markdown" and left > 2:
                joined[-1]["text"] += f"\n\n{block['text']}"
                left -= 2
                continue
        joined.append(block)
    return joined


def _table(table: Table) -> Block:
    rows = [[{"type": "raw_text", "text": unmarked(cell)[:MAX_CELL] or " "} for cell in row] for row in (table.header, *table.rows)]
    return {"type": "table", "rows": rows, "column_settings": [{"is_wrapped": True} for _ in table.header]}


def _markdown(text: str) -> Block:
    # Texts of repos are anybody's: `<!channel>` and `<@U1>` would call people.
    return {"type": "markdown", "text": text.replace("<!", "<\u200b!").replace("<@", "<\u200b@").replace("<#", "<\u200b#")}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:MAX_SECTION]}}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text if len(text) <= limit else text[: limit - 1] + "…"}


def _button(label: str, action: str, value: str) -> Block:
    return {"type": "button", "text": _plain(label, MAX_LABEL), "action_id": action, "value": value[:MAX_VALUE]}


def _choice(label: str, number: int) -> Block:
    return _button(label, f"{CHOICE}_{number}", label)
