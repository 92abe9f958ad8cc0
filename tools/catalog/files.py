"""Tools: files of a repo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from hub_core.authz import Permission
from hub_core.errors import EntryNotFound, InvalidInput, RevisionNotFound
from hub_core.git import FileChange, TreeEntry
from hub_core.names import check_path
from hub_core.repos.kinds import KINDS, RepoKind
from hub_core.repos.tables import Repo
from tools.catalog.fields import BranchArg, MessageArg, NewPathArg, PathArg, RevisionArg
from tools.catalog.outputs import Page
from tools.catalog.repos import OneRepo, locate
from tools.contract import Call, Change, Effect, Plan, Slot, SlotType, Tool, ToolContext, ToolOutput


class ListFilesInput(OneRepo):
    """Which folder, at which revision."""

    path: PathArg = ""
    revision: RevisionArg = ""
    recursive: Annotated[bool, Slot(SlotType.FLAG), Field(description="Also everything in sub-folders.")] = False


class FileItem(ToolOutput):
    """A file or folder."""

    path: str
    type: str = Field(description="file, folder or submodule")
    size: int = Field(description="Bytes; of LFS files the real size.")
    lfs: bool = False


class FileList(Page):
    """Entries of a folder."""

    repo: str
    kind: str
    path: str
    revision: str = Field(description="Commit that was read.")
    items: list[FileItem]
    truncated: bool = False


class ListFiles(Tool[ListFilesInput, FileList]):
    """List the files and folders of a repo."""

    name, group, input, output, permission = "list_files", "files", ListFilesInput, FileList, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: ListFilesInput) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: ListFilesInput, plan: Plan) -> FileList:
        """Read the tree."""
        repo: Repo = plan.prepared
        listing = ctx.services.files.tree(ctx.actor, repo, args.path, args.revision, recursive=args.recursive)
        items = [
            FileItem(path=e.path, type=e.kind, size=e.size, lfs=e.lfs is not None) for e in sorted(listing.entries, key=_folders_first)
        ]
        return FileList(
            repo=repo.full_name, kind=repo.kind, path=args.path, revision=listing.revision, items=items, truncated=listing.truncated
        )


def _folders_first(entry: TreeEntry) -> tuple[bool, str]:
    return entry.kind == "file", entry.path


class ReadFileInput(OneRepo):
    """Which file, at which revision."""

    path: PathArg
    revision: RevisionArg = ""


class FileOut(ToolOutput):
    """A file's text."""

    repo: str
    path: str
    revision: str
    content: str = Field(description="Text; empty for binary files.")
    size: int
    truncated: bool
    binary: bool = False
    lfs: bool = False


class ReadFile(Tool[ReadFileInput, FileOut]):
    """Show the content of a text file."""

    name, group, input, output, permission = "read_file", "files", ReadFileInput, FileOut, Permission.REPO_FILES

    def plan(self, ctx: ToolContext, args: ReadFileInput) -> Plan:
        """Resolve the name; a file name that is unique in the repo finds its folder."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved | {"path": find_path(ctx, repo, args.path, args.revision)}, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: ReadFileInput, plan: Plan) -> FileOut:
        """Read it."""
        text = ctx.services.files.read_text(ctx.actor, plan.prepared, plan.args["path"], args.revision)
        return FileOut(
            repo=plan.prepared.full_name, path=text.path, revision=text.revision, content=text.content, size=text.size,
            truncated=text.truncated, binary=text.binary, lfs=text.lfs,
        )  # fmt: skip


def find_path(ctx: ToolContext, repo: Repo, said: str, revision: str = "") -> str:
    """The file path that was meant: exact, else the only file whose path ends so, else the same without regard to case ("readme").

    Raises:
        EntryNotFound: none fits, or several do.
    """
    path = check_path(said.strip("/"))
    paths = ctx.services.files.paths(ctx.actor, repo, revision)
    if path in paths:
        return path
    tests: tuple[Callable[[str], bool], ...] = (
        lambda known: known.endswith("/" + path),
        lambda known: known.casefold() == path.casefold(),
        lambda known: known.casefold().rpartition("/")[2].rpartition(".")[0] == path.casefold(),
    )
    for test in tests:
        fits = [known for known in paths if test(known)]
        if len(fits) == 1:
            return fits[0]
    raise EntryNotFound(f"There is no file '{path}' in {repo.full_name}.", hint="list_files shows what is there.", path=path)


class CommitOut(ToolOutput):
    """A commit that was made."""

    repo: str
    branch: str
    commit: str
    changed: list[str] = Field(description="Paths it touched.")


class _CommitTool(Tool[Any, CommitOut]):
    """Base of tools that end in one commit: the plan holds the changes, undo reverts the commit."""

    group, output, effect, permission = "files", CommitOut, Effect.WRITE, Permission.REPO_WRITE

    def changes(self, ctx: ToolContext, repo: Repo, args: Any) -> tuple[list[FileChange], tuple[Change, ...], str, dict[str, Any]]:
        """File changes, the shown changes, the commit message and further resolved arguments."""
        raise NotImplementedError

    def plan(self, ctx: ToolContext, args: Any) -> Plan:
        """Resolve the names and work out the commit."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        branch = args.branch or repo.default_branch
        if branch not in ctx.services.history.branches(ctx.actor, repo):
            raise RevisionNotFound(f"There is no branch '{branch}'.", hint="list_branches shows them; create_branch makes one.")
        files, shown, message, more = self.changes(ctx, repo, args)
        facts = {"repo": repo.full_name, "branch": branch}
        return Plan(resolved | {"branch": branch} | more, Effect.WRITE, shown, facts, None, (repo, branch, files, message))

    def run(self, ctx: ToolContext, args: Any, plan: Plan) -> CommitOut:
        """Commit."""
        repo, branch, files, message = plan.prepared
        made = ctx.services.files.commit(ctx.actor, repo, files, message, branch=branch)
        return CommitOut(repo=repo.full_name, branch=branch, commit=made.commit, changed=made.changed)

    def inverse(self, ctx: ToolContext, args: Any, plan: Plan, output: CommitOut) -> Call | None:
        """Revert the commit."""
        repo = plan.prepared[0]
        return Call("revert_commit", {"repo": repo.full_name, "kind": repo.kind, "revision": output.commit, "branch": output.branch})


def _exists(ctx: ToolContext, repo: Repo, branch: str | None, path: str) -> bool:
    return path in ctx.services.files.paths(ctx.actor, repo, branch or repo.default_branch)


class WriteFileInput(OneRepo):
    """Which file, and its new text."""

    path: PathArg
    content: Annotated[str, Slot(SlotType.TEXT), Field(description="The whole text of the file.", max_length=4_000_000)]
    message: MessageArg = ""
    branch: BranchArg | None = None


class WriteFile(_CommitTool):
    """Create a text file or replace its content, as one commit."""

    name, input = "write_file", WriteFileInput

    def changes(
        self, ctx: ToolContext, repo: Repo, args: WriteFileInput
    ) -> tuple[list[FileChange], tuple[Change, ...], str, dict[str, Any]]:
        """One file."""
        path = check_path(args.path.strip("/"))
        exists = _exists(ctx, repo, args.branch, path)
        message = args.message or f"{'Update' if exists else 'Add'} {path}"
        text = args.content if args.content.endswith("\n") or not args.content else args.content + "\n"
        shown = (Change("file", path if exists else None, path),)
        return [FileChange(path, text.encode())], shown, message, {"path": path, "message": message}


class UploadFileInput(OneRepo):
    """Which attached file goes where."""

    attachment: Annotated[
        str, Slot(SlotType.ATTACHMENT), Field(description="Id or name of a file attached to the conversation.", max_length=255)
    ]
    path: PathArg = ""
    branch: BranchArg | None = None


class UploadFile(Tool[UploadFileInput, CommitOut]):
    """Commit a file that was attached to the conversation."""

    name, group, input, output = "upload_file", "files", UploadFileInput, CommitOut
    effect, permission = Effect.WRITE, Permission.REPO_WRITE

    def plan(self, ctx: ToolContext, args: UploadFileInput) -> Plan:
        """Find the attachment and where it goes; a path that ends in '/' is a folder."""
        repo, resolved = locate(ctx, args, Permission.REPO_WRITE)
        attachment = ctx.services.conversations.get_attachment(ctx.actor, args.attachment)
        path = args.path + attachment.filename if args.path.endswith("/") or not args.path else args.path
        path = check_path(path.strip("/"))
        branch = args.branch or repo.default_branch
        exists = _exists(ctx, repo, branch, path)
        facts = {"repo": repo.full_name, "branch": branch, "size": attachment.size}
        resolved |= {"path": path, "branch": branch, "attachment": attachment.id}
        return Plan(resolved, Effect.WRITE, (Change("file", path if exists else None, path),), facts, None, (repo, branch, path, exists))

    def run(self, ctx: ToolContext, args: UploadFileInput, plan: Plan) -> CommitOut:
        """Commit it as a stream."""
        repo, branch, path, exists = plan.prepared
        chunks = ctx.services.conversations.open_attachment(ctx.actor, plan.args["attachment"])
        message = f"{'Update' if exists else 'Add'} {path}"
        made = ctx.services.files.commit_stream(ctx.actor, repo, path, iter(chunks), message, branch=branch)
        return CommitOut(repo=repo.full_name, branch=branch, commit=made.commit, changed=made.changed)

    def inverse(self, ctx: ToolContext, args: UploadFileInput, plan: Plan, output: CommitOut) -> Call | None:
        """Revert the commit."""
        repo = plan.prepared[0]
        return Call("revert_commit", {"repo": repo.full_name, "kind": repo.kind, "revision": output.commit, "branch": output.branch})


class MoveFileInput(OneRepo):
    """Which file, and its new path."""

    path: PathArg
    new_path: NewPathArg
    branch: BranchArg | None = None


class MoveFile(_CommitTool):
    """Rename or move a file or folder inside a repo, as one commit."""

    name, input = "move_file", MoveFileInput

    def changes(
        self, ctx: ToolContext, repo: Repo, args: MoveFileInput
    ) -> tuple[list[FileChange], tuple[Change, ...], str, dict[str, Any]]:
        """From old to new; a new path that ends in '/' is a folder, a bare new name stays in the old folder."""
        old = find_entry(ctx, repo, args.path, args.branch)
        folder, _, name = old.rpartition("/")
        if args.new_path.endswith("/"):
            new = args.new_path + name
        elif "/" in args.new_path or not folder:
            new = args.new_path
        else:
            new = f"{folder}/{args.new_path}"
        new = check_path(new.strip("/"))
        if new == old:
            raise InvalidInput("That is already its path.")
        return [FileChange(new, move_from=old)], (Change("path", old, new),), f"Move {old} to {new}", {"path": old, "new_path": new}


class DeleteFileInput(OneRepo):
    """Which file."""

    path: PathArg
    branch: BranchArg | None = None


class DeleteFile(_CommitTool):
    """Delete a file or folder, as one commit; the history keeps it."""

    name, input = "delete_file", DeleteFileInput

    def changes(
        self, ctx: ToolContext, repo: Repo, args: DeleteFileInput
    ) -> tuple[list[FileChange], tuple[Change, ...], str, dict[str, Any]]:
        """Without the file."""
        path = find_entry(ctx, repo, args.path, args.branch)
        return [FileChange(path, delete=True)], (Change("file", path, None),), f"Delete {path}", {"path": path}


def find_entry(ctx: ToolContext, repo: Repo, said: str, branch: str | None) -> str:
    """Like `find_path`, but a folder will do as well."""
    path = check_path(said.strip("/"))
    known = ctx.services.files.paths(ctx.actor, repo, branch or repo.default_branch)
    if any(each.startswith(path + "/") for each in known):
        return path
    return find_path(ctx, repo, path, branch or "")


class DownloadOut(ToolOutput):
    """Commands that fetch a repo."""

    repo: str
    kind: str
    git: str
    url: str


class GetDownloadCommand(Tool[OneRepo, DownloadOut]):
    """Show the commands that download or clone a repo."""

    name, group, input, output, permission = "get_download_command", "files", OneRepo, DownloadOut, Permission.REPO_READ

    def plan(self, ctx: ToolContext, args: OneRepo) -> Plan:
        """Resolve the name."""
        repo, resolved = locate(ctx, args)
        return Plan(resolved, Effect.READ, prepared=repo)

    def run(self, ctx: ToolContext, args: OneRepo, plan: Plan) -> DownloadOut:
        """Write the commands with the hub's address."""
        repo: Repo = plan.prepared
        settings = ctx.services.settings
        base = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
        url = f"{base}/{KINDS[RepoKind(repo.kind)].prefix}{quote(repo.full_name)}"
        return DownloadOut(repo=repo.full_name, kind=repo.kind, git=f"git clone {url}.git", url=f"{url}.git")


TOOLS = (ListFiles(), ReadFile(), WriteFile(), UploadFile(), MoveFile(), DeleteFile(), GetDownloadCommand())
