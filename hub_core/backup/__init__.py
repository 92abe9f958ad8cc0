"""One folder with everything a hub holds: written while it runs, and put back into an empty or a stopped one."""

from hub_core.backup.reading import restore
from hub_core.backup.writing import backup

__all__ = ["backup", "restore"]
