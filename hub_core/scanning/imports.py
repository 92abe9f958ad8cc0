"""What a pickle may import: the list that its imports are held against."""

from __future__ import annotations

import enum


class Verdict(enum.StrEnum):
    """What loading a pickle with this import can do."""

    SAFE = "safe"
    SUSPICIOUS = "suspicious"  # not known: code of a library that need not be harmless
    UNSAFE = "unsafe"  # runs commands, reads or sends files, or gets at everything


_TYPES = frozenset({
    "set", "frozenset", "dict", "list", "tuple", "int", "float", "complex", "bytearray", "bytes", "str", "bool", "slice", "range", "object",
    "Ellipsis", "NotImplemented",
})  # fmt: skip
_SAFE_NAMES: dict[str, frozenset[str]] = {
    "collections": frozenset({"OrderedDict", "defaultdict", "Counter", "deque"}),
    "builtins": _TYPES,
    "__builtin__": _TYPES | {"long", "unicode", "xrange"},
    "copyreg": frozenset({"_reconstructor"}),
    "copy_reg": frozenset({"_reconstructor"}),
    "_codecs": frozenset({"encode"}),
    "argparse": frozenset({"Namespace"}),
    "datetime": frozenset({"datetime", "date", "time", "timedelta", "timezone"}),
    "decimal": frozenset({"Decimal"}),
    "uuid": frozenset({"UUID"}),
    "pathlib": frozenset({"Path", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"}),
    "numpy": frozenset({"ndarray", "dtype", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool_"}),
    "numpy.core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy.core.numeric": frozenset({"_frombuffer"}),
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "numpy.random._pickle": frozenset({"__randomstate_ctor", "__bit_generator_ctor", "__generator_ctor"}),
    "torch._utils": frozenset({
        "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter", "_rebuild_parameter_with_state",
        "_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_device_tensor_from_numpy", "_rebuild_meta_tensor_no_storage",
        "_rebuild_nested_tensor",
    }),
    "torch._tensor": frozenset({"_rebuild_from_type_v2"}),
    "torch.serialization": frozenset({"_get_layout"}),
    "torch.storage": frozenset({"UntypedStorage", "TypedStorage"}),
    "torch.nn.parameter": frozenset({"Parameter"}),
    "torch": frozenset({
        "Tensor", "Size", "device", "dtype", "Generator", "float16", "float32", "float64", "bfloat16", "half", "float", "double", "int8", "int16",
        "int32", "int64", "uint8", "bool", "long", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "strided", "sparse_coo",
        "per_tensor_affine", "per_channel_affine", "qint8", "quint8", "qint32",
    }),
    "joblib.numpy_pickle": frozenset({"NumpyArrayWrapper"}),
}  # fmt: skip
# Estimators of scikit-learn and the like are plain classes, and what they restore is data; functions of theirs are not listed.
_SAFE_MODULES = ("sklearn.", "scipy.sparse.", "xgboost.sklearn", "lightgbm.sklearn")
_UNSAFE_MODULES = frozenset({
    "os", "nt", "posix", "sys", "subprocess", "commands", "popen2", "pty", "shutil", "socket", "ssl", "http", "urllib", "urllib2", "urllib3", "httplib",
    "requests", "httpx", "aiohttp", "asyncio", "multiprocessing", "threading", "_thread", "importlib", "imp", "runpy", "pkgutil", "zipimport", "code",
    "codeop", "ctypes", "_ctypes", "cffi", "marshal", "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "types", "inspect", "gc",
    "builtins", "__builtin__", "__builtins__", "__main__", "operator", "_operator", "functools", "_functools", "itertools", "webbrowser", "platform",
    "pip", "setuptools", "distutils", "pdb", "bdb", "timeit", "trace", "profile", "cProfile", "doctest", "idlelib", "lib2to3", "site", "venv", "ensurepip",
    "ftplib", "smtplib", "telnetlib", "poplib", "imaplib", "xmlrpc", "tempfile", "glob", "fileinput", "linecache", "io", "_io", "codecs", "signal", "uuid",
    "logging", "sqlite3", "_sqlite3", "tkinter", "turtle", "numpy.testing", "numpy.f2py", "numpy.distutils", "torch.hub", "torch.jit", "torch.utils",
    "torch.package", "torch.serialization", "torch.storage", "torch.ops", "torch.classes", "torch._inductor", "torch._dynamo", "torch.fx", "torch.cuda",
    "torch.distributed", "torch.multiprocessing", "pandas.io", "pandas.core.computation", "joblib",
})  # fmt: skip


def judge(name: str) -> Verdict:
    """What an import (`module.name`) can do; `?` stands for one that cannot be told."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return Verdict.UNSAFE
    # Protocol 4 reaches through attributes: `collections` with the name `abc.sys.modules` is the way to everything.
    for first in _splits(module, attribute):
        if first in _UNSAFE_MODULES and not _is_listed(module, attribute):
            return Verdict.UNSAFE
    if _is_listed(module, attribute):
        return Verdict.SAFE
    is_class = attribute.isidentifier() and attribute.isascii() and attribute[0].isupper()
    if is_class and (module.startswith(_SAFE_MODULES) or (module == "torch" and attribute.endswith("Storage"))):
        return Verdict.SAFE
    return Verdict.SUSPICIOUS


def _is_listed(module: str, attribute: str) -> bool:
    return attribute in _SAFE_NAMES.get(module, frozenset())


def _splits(module: str, attribute: str) -> set[str]:
    """Every module that the name may go through: `a.b.c` is reached by `a`, `a.b` and, inside, by `b` and `c`."""
    parts = f"{module}.{attribute}".split(".")[:-1]
    return {".".join(parts[: index + 1]) for index in range(len(parts))} | {
        part for part in parts[1:] if part in ("sys", "os", "subprocess", "builtins")
    }
