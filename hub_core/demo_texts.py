"""Texts of the demo assets: answered support questions to fine-tune a model on, and a small Gradio app."""

from __future__ import annotations

import json

_ANSWERS = {
    "reset my password": "Open the sign-in page, choose 'Forgot password' and follow the link in the mail. It is valid for one hour.",
    "change my plan": "Go to Billing, choose 'Plan' and pick the new one. The difference is settled with your next invoice.",
    "get a copy of an invoice": "All invoices are under Billing, 'Documents'. Each can be downloaded as a PDF.",
    "track my parcel": "The tracking number is in the mail that confirms your order. Enter it on the carrier's page.",
    "return an item": "Register the return under 'My orders' within 30 days, print the label and hand the parcel in at any post office.",
    "cancel my subscription": "Choose 'Cancel' under Billing. It ends with the month that is paid for; your data is kept for 90 days.",
    "add a colleague to my team": "Open 'Team', choose 'Invite' and enter the mail address. The invitation is valid for a week.",
    "turn on two-factor sign-in": "Open 'Security', choose 'Two-factor' and scan the code with your authenticator app.",
    "export my data": "Choose 'Export' under 'Account'. You get a mail with a link as soon as the archive is ready.",
    "change the delivery address": "Until the parcel has left, you can change the address under 'My orders'. After that, ask the carrier.",
    "report a damaged delivery": "Send us a picture within 14 days under 'My orders', 'Report a problem'. A replacement leaves the same day.",
    "delete my account": "Choose 'Delete account' under 'Account' and confirm it by mail. It cannot be taken back after 30 days.",
}
_WAYS = (
    "How do I {}?",
    "I need to {}. What do I have to do?",
    "Hello, could you tell me how to {}?",
    "Where can I {}?",
    "My customer wants to {}. Please help.",
    "Is there a way to {} without calling you?",
)
_CARD = (
    "---\nlicense: cc-by-4.0\ntags: [demo, support]\ntask_categories: [question-answering]\n---\n\n# support-answers\n\n"
    "Answered support questions, enough to try a fine-tune with: *fine-tune my model on support-answers*.\n"
)
_APP = '''"""Sorts a ticket to a team by its words. A demo: run it by saying "run the ticket-sorter space"."""

import gradio as gr

TEAMS = {"billing": ("invoice", "plan", "pay", "refund"), "login": ("password", "sign", "account"), "shipping": ("parcel", "delivery", "return")}


def sort(ticket: str) -> str:
    words = ticket.lower()
    return max(TEAMS, key=lambda team: sum(word in words for word in TEAMS[team]))


demo = gr.Interface(sort, gr.Textbox(label="Ticket"), gr.Textbox(label="Team"), title="ticket-sorter")

if __name__ == "__main__":
    demo.launch()
'''
_APP_CARD = (
    "---\ntitle: ticket-sorter\nsdk: gradio\napp_file: app.py\nlicense: apache-2.0\ntags: [demo]\n---\n\n"
    "# ticket-sorter\n\nSorts a support ticket to a team.\n"
)


def answer_files() -> dict[str, bytes]:
    """A dataset of 72 questions with their answers, in JSON Lines."""
    rows = [{"question": way.format(what), "answer": answer} for way in _WAYS for what, answer in _ANSWERS.items()]
    return {"README.md": _CARD.encode(), "answers.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}


def app_files() -> dict[str, bytes]:
    """A Space with a Gradio app."""
    return {"README.md": _APP_CARD.encode(), "app.py": _APP.encode()}
