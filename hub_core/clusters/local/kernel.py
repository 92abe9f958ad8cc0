"""What the sandbox asks of Linux and Python's library has no words for: namespaces, mounts, capabilities, a filter for system calls.

Nothing but the standard library; used by programs that run as `python -I -S`. Numbers are those of the kernel's headers.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import signal
import socket
import struct
import sys

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 24, 38, 22
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP_MODE_FILTER = 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# Number of a system call: on x86-64, and on 64-bit ARM (None: it has none).
_PIVOT_ROOT, _MOUNT_SETATTR, _CAPSET = (155, 41), (442, 442), (126, 91)
# What no app needs, and what holes in kernels were found in, or what gives memory that no limit counts.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262), "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "vhangup": (153, 58),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW flag that clone takes
_FAMILIES = (1, 2, 10, 16)  # unix, IPv4, IPv6, netlink; a VM's vsock, for one, knows no network namespaces
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class _Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _machine() -> tuple[int, int]:
    """The column of the tables and the kernel's name of this processor.

    Raises:
        OSError: no table knows it.
    """
    known = _ARCHITECTURES.get(platform.machine()) if _libc is not None else None
    if known is None:
        raise OSError(errno.ENOSYS, f"there is no sandbox for {sys.platform} on {platform.machine()}")
    return known


def _call(numbers: tuple[int, int], what: str, *args: object) -> int:
    assert _libc is not None
    return _checked(_libc.syscall(ctypes.c_long(numbers[_machine()[0]]), *args), what)


def _prctl(what: str, *args: int) -> None:
    assert _libc is not None
    padded = [ctypes.c_ulong(value) for value in (*args, 0, 0, 0, 0)[1:5]]
    _checked(_libc.prctl(ctypes.c_int(args[0]), *padded), what)


def unshare(flags: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    _machine()
    assert _libc is not None
    _checked(_libc.unshare(ctypes.c_int(flags)), "new namespaces")


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _prctl("death signal", _PR_SET_PDEATHSIG, signal.SIGKILL)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Put a file system, or something that is there already, at a place; the words are those of the system call."""
    assert _libc is not None
    given = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)
    _checked(_libc.mount(*given), f"mounting {source or kind} at {target}")


def bind(source: str, target: str, *, read_only: bool, devices: bool = False) -> None:
    """Show a file or folder, and what is mounted in it, at another place; nothing there gives rights to who runs it."""
    mount(source, target, "", MS_BIND | MS_REC)
    restrict(target, ATTR_NOSUID | (ATTR_RDONLY if read_only else 0) | (0 if devices else ATTR_NODEV))


def restrict(target: str, attributes: int, *, deep: bool = True) -> None:
    """Set attributes of a mount, and of those in it."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    flags = ctypes.c_uint(_AT_RECURSIVE if deep else 0)
    _call(
        _MOUNT_SETATTR, f"restricting {target}", ctypes.c_int(_AT_FDCWD), target.encode(), flags, ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )  # fmt: skip


def enter_root(folder: str) -> None:
    """Make a mount the root, and let go of the old one."""
    assert _libc is not None
    os.chdir(folder)
    _call(_PIVOT_ROOT, "a root of its own", b".", b".")
    _checked(_libc.umount2(b".", MNT_DETACH), "letting go of the old root")
    os.chdir("/")


def loopback_up() -> None:
    """Switch on `lo` of a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16xH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[0]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def drop_rights(user: int | None) -> None:
    """Give up every capability, now and for whatever is started from here, and any way to get more.

    Args:
        user: the user and group to become; None to stay who one is.
    """
    for number in range(64):
        try:
            _prctl("bounding set", _PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # past the last one that this kernel has
                break
            raise
    _prctl("ambient set", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header, none = struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _call(_CAPSET, "capabilities", header, none)
    _prctl("no new rights", _PR_SET_NO_NEW_PRIVS, 1)


def filter_calls() -> None:
    """Refuse system calls that no app needs, for this process and all that come of it."""
    column, architecture = _machine()
    raw = b"".join(struct.pack("HBBI", *step) for step in _program(column, architecture))
    buffer = ctypes.create_string_buffer(raw, len(raw))
    program = _Program(len(raw) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _prctl("a filter for system calls", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _program(column: int, architecture: int) -> list[tuple[int, int, int, int]]:
    """The filter: (operation, steps to go on when true, when false, value). Offsets are those of `struct seccomp_data`."""
    number, arch, first_argument = 0, 4, 16
    steps = [(_LOAD, 0, 0, arch), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, number)]
    if column == 0:  # x86-64 has a second table of calls, which starts here
        steps += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]
    for numbers in _DENIED.values():
        if (denied := numbers[column]) is not None:
            steps += [(_EQUAL, 0, 1, denied), (_RETURN, 0, 0, _REFUSE | errno.EPERM)]
    # Its flags are behind a pointer, where no filter sees them: libraries go back to clone.
    steps += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    steps += [(_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, first_argument), (_ANY_BIT, 0, 1, _NEW_NAMESPACES)]
    steps += [(_RETURN, 0, 0, _REFUSE | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    families = [(_EQUAL, len(_FAMILIES) - index, 0, family) for index, family in enumerate(_FAMILIES)]
    steps += [(_EQUAL, 0, len(families) + 2, _SOCKET[column]), (_LOAD, 0, 0, first_argument), *families]
    return [*steps, (_RETURN, 0, 0, _REFUSE | errno.EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
