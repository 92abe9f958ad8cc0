"""Every error the hub can tell a caller about, as one tree.

`code` is stable: it is part of the API and has a heading in `docs/errors.md`. `hint` says what to do next.
The families (`InvalidInput`, `NotFound` ...) decide the HTTP status; that mapping lives with each HTTP dialect.

    HubError
    ├── InvalidInput        invalid_input, invalid_name, invalid_path, invalid_ref, invalid_pack, ...
    ├── Unauthenticated     unauthenticated, gated_sign_in
    ├── PermissionDenied    forbidden, gated_repo
    ├── NotFound            not_found, repo_not_found, user_not_found, ...
    ├── Conflict            conflict, already_exists, stale_base, merge_conflict, ambiguous_repo, ...
    ├── LimitExceeded       limit_exceeded, too_large, query_limit, ...
    └── Unavailable         unavailable, storage_full, llm_unavailable, ...
"""

from __future__ import annotations

from typing import Any, ClassVar


class HubError(Exception):
    """Base of all errors that are meant for the caller.

    Args:
        message: one sentence, safe to show, without secrets or internals.
        hint: what to do next; empty when there is nothing useful to say.
        details: JSON-able facts for programs and for translated messages.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = details


class InvalidInput(HubError):
    """What was sent cannot be accepted as it is."""

    code = "invalid_input"


class InvalidName(InvalidInput):
    """A name of a user, organisation, repo, branch or token breaks the naming rules."""

    code = "invalid_name"


class InvalidPath(InvalidInput):
    """A file path inside a repo is not acceptable (absolute, `..`, NUL, control characters, too long)."""

    code = "invalid_path"


class InvalidRef(InvalidInput):
    """A ref or revision is malformed."""

    code = "invalid_ref"


class InvalidArguments(InvalidInput):
    """The arguments of a tool do not fit its schema; `details["errors"]` says which and why."""

    code = "invalid_arguments"


class SecretNotKept(InvalidInput):
    """A password or token that was said before is no longer known: it is kept in memory only. Say it again."""

    code = "secret_not_kept"


class InvalidPack(InvalidInput):
    """A pushed pack is truncated, corrupt, not closed over its objects, or expands beyond the limit."""

    code = "invalid_pack"


class HashMismatch(InvalidInput):
    """The bytes do not have the digest or size that was announced."""

    code = "hash_mismatch"


class InvalidQuery(InvalidInput):
    """A SQL query is wrong or asks for something the sandbox does not allow."""

    code = "invalid_query"


class UnsupportedFormat(InvalidInput):
    """The file exists, but is not in a format that can be read here."""

    code = "unsupported_format"


class UnsafeAddress(InvalidInput):
    """The hub does not send to addresses of its own machine or network; see `HUB_WEBHOOK_HOSTS`."""

    code = "unsafe_address"


class InvalidKey(InvalidInput):
    """An SSH key cannot be read, or is of a kind that is too weak."""

    code = "invalid_key"


class NothingToCommit(InvalidInput):
    """The files have this content already; `details["head"]` is the commit that has them."""

    code = "nothing_to_commit"


class Unauthenticated(HubError):
    """No credential, or one that is unknown, expired or revoked."""

    code = "unauthenticated"


class PermissionDenied(HubError):
    """The thing is visible to the caller, but the act is not allowed."""

    code = "forbidden"


class GatedSignIn(Unauthenticated):
    """The repo is gated: its files are open to people who asked for access and were accepted. Sign in first."""

    code = "gated_sign_in"


class GatedRepo(PermissionDenied):
    """The repo is gated, and the caller has no access to its files; `details["request"]` is how their own request stands."""

    code = "gated_repo"


class NotFound(HubError):
    """Not there, or not visible to the caller: the answer is the same."""

    code = "not_found"


class RepoNotFound(NotFound):
    """No such repo, or not visible to the caller."""

    code = "repo_not_found"


class UserNotFound(NotFound):
    """No such user."""

    code = "user_not_found"


class OrgNotFound(NotFound):
    """No such organisation."""

    code = "org_not_found"


class MemberNotFound(NotFound):
    """The person is not a member of the organisation."""

    code = "member_not_found"


class DeviceLoginNotFound(NotFound):
    """No program waits to be signed in under this code: it was used, or 15 minutes have passed."""

    code = "device_login_not_found"


class TokenNotFound(NotFound):
    """No token of that name."""

    code = "token_not_found"


class SshKeyNotFound(NotFound):
    """No SSH key of that title."""

    code = "ssh_key_not_found"


class CollectionNotFound(NotFound):
    """No such collection, or not visible to the caller."""

    code = "collection_not_found"


class DiscussionNotFound(NotFound):
    """The repo has no discussion or pull request of that number, or it has no such comment."""

    code = "discussion_not_found"


class RevisionNotFound(NotFound):
    """No such branch, tag or commit in the repo."""

    code = "revision_not_found"


class EntryNotFound(NotFound):
    """No such file or folder at that revision."""

    code = "entry_not_found"


class RequestNotFound(NotFound):
    """The person has not asked for access to the repo, or the request is not in a state that can be changed so."""

    code = "request_not_found"


class JobNotFound(NotFound):
    """No job of that number, or not one the caller may see."""

    code = "job_not_found"


class WebhookNotFound(NotFound):
    """No such webhook, or not one the caller manages."""

    code = "webhook_not_found"


class ToolNotFound(NotFound):
    """No tool of that name."""

    code = "tool_not_found"


class ApprovalNotFound(NotFound):
    """No such approval, or not one the caller may see."""

    code = "approval_not_found"


class ThreadNotFound(NotFound):
    """No such conversation, or not the caller's own."""

    code = "thread_not_found"


class AttachmentNotFound(NotFound):
    """No such attachment, or not the caller's own."""

    code = "attachment_not_found"


class ChatLinkNotFound(NotFound):
    """A link between a chat platform and the hub was used, has expired, or is somebody else's."""

    code = "chat_link_not_found"


class ChatNotLinked(NotFound):
    """The caller has no linked chat account of that platform, number or name."""

    code = "chat_not_linked"


class Conflict(HubError):
    """The state of the hub does not admit the act right now."""

    code = "conflict"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"


class StaleBase(Conflict):
    """Somebody else changed the branch since the base that was read; nothing was written."""

    code = "stale_base"


class MergeConflict(Conflict):
    """Both sides changed the same lines; `details["paths"]` names the files, and nothing was changed."""

    code = "merge_conflict"


class DiscussionClosed(Conflict):
    """The discussion or pull request is closed or merged, so this cannot be done with it any more."""

    code = "discussion_closed"


class AmbiguousRepo(Conflict):
    """A bare name fits several visible repos; `details["choices"]` lists them as `kind:namespace/name`."""

    code = "ambiguous_repo"


class AmbiguousCollection(Conflict):
    """A title fits several visible collections; `details["choices"]` lists their slugs."""

    code = "ambiguous_collection"


class AmbiguousChatLink(Conflict):
    """Several chat accounts of the caller are meant; `details["choices"]` tells them apart."""

    code = "ambiguous_chat_link"


class ApprovalSettled(Conflict):
    """The approval was already approved, rejected, executed or withdrawn."""

    code = "approval_settled"


class ApprovalExpired(Conflict):
    """The approval waited too long; ask again."""

    code = "approval_expired"


class LastAdmin(Conflict):
    """The act would leave an organisation or the hub without an administrator."""

    code = "last_admin"


class LockHeld(Conflict):
    """Somebody else holds the LFS lock on that path."""

    code = "lock_held"


class ThreadBusy(Conflict):
    """A turn is running in this conversation; one runs at a time."""

    code = "thread_busy"


class JobSettled(Conflict):
    """The state of the job does not admit it: what is over cannot be cancelled, only what failed or was cancelled can be tried again."""

    code = "job_settled"


class NothingToUndo(Conflict):
    """No change of this thread can be undone."""

    code = "nothing_to_undo"


class LimitExceeded(HubError):
    """A limit of the hub was reached (size, rate, time)."""

    code = "limit_exceeded"


class TooLarge(LimitExceeded):
    """The body, file, pack or result is larger than allowed."""

    code = "too_large"


class QuotaExceeded(LimitExceeded):
    """The repo, or all repos of its owner together, would take more bytes than the hub allows; nothing was stored."""

    code = "quota_exceeded"


class RateLimited(LimitExceeded):
    """Too many requests or tokens in a minute, or too many requests at once; `details["retry_after"]` says how many seconds to wait."""

    code = "rate_limited"


class QueryLimit(LimitExceeded):
    """A dataset query took more time or memory than allowed."""

    code = "query_limit"


class TooBusy(LimitExceeded):
    """Too many heavy reads (previews, statistics, queries, differences) run at this moment; try again."""

    code = "too_busy"


class TooManyAttempts(LimitExceeded):
    """Too many wrong passwords in a short time; wait a few minutes."""

    code = "too_many_attempts"


class Unavailable(HubError):
    """A part the hub depends on does not answer; nothing was changed."""

    code = "unavailable"


class StorageFull(Unavailable):
    """The disk or bucket is full; nothing was changed."""

    code = "storage_full"


class CorruptStorage(Unavailable):
    """Stored bytes do not have the digest they are stored under; run `hubtalk doctor`."""

    code = "corrupt_storage"


class JobLost(Unavailable):
    """Every worker that tried the job died while it ran; stands in the job's `error`."""

    code = "job_lost"


class LLMUnavailable(Unavailable):
    """The configured language model does not answer or answers nonsense."""

    code = "llm_unavailable"


class NoSecretKey(Unavailable):
    """The hub has no key to keep secrets with, or not the one that they were stored with; see `HUB_SECRET_KEY`."""

    code = "no_secret_key"
