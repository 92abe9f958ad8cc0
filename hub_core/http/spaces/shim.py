"""What stands at the beginning of an app's pages: cookies and storage that forget everything, as such a page may have no real ones.

Many apps and frameworks use them without asking whether they may, and end with an error where the browser says no.
"""

from __future__ import annotations

from collections.abc import Mapping

_SCRIPT = """
(() => {
  if (window.origin !== "null") return;
  const memory = () => {
    const kept = new Map();
    const own = {
      getItem: (key) => kept.get(String(key)) ?? null,
      setItem: (key, value) => { kept.set(String(key), String(value)); },
      removeItem: (key) => { kept.delete(String(key)); },
      clear: () => kept.clear(),
      key: (index) => [...kept.keys()][index] ?? null,
    };
    return new Proxy(own, {
      get: (_, key) => (key === "length" ? kept.size : key in own ? own[key] : kept.get(key)),
      set: (_, key, value) => { kept.set(String(key), String(value)); return true; },
      has: (_, key) => kept.has(key),
      deleteProperty: (_, key) => { kept.delete(key); return true; },
      ownKeys: () => [...kept.keys()],
      getOwnPropertyDescriptor: (_, key) => kept.has(key) ? { value: kept.get(key), enumerable: true, configurable: true, writable: true } : undefined,
    });
  };
  for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { value: memory(), configurable: true });
  const cookies = new Map();
  Object.defineProperty(document, "cookie", {
    configurable: true,
    get: () => [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
    set: (text) => {
      const [name, ...value] = String(text).split(";")[0].split("=");
      if (/max-age=(0|-)|expires=Thu, 01 Jan 1970/i.test(text)) cookies.delete(name.trim());
      else cookies.set(name.trim(), value.join("="));
    },
  });
})();
"""
# With a doctype of its own: the one of the page comes too late behind it.
BEFORE_PAGE = b"<!doctype html><script>" + " ".join(line.strip() for line in _SCRIPT.split("\n")).encode() + b"</script>\n"


def is_page(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks for a page, to show it."""
    shown = headers.get("sec-fetch-dest")
    return method == "GET" and (shown in ("document", "iframe", "frame") if shown else "text/html" in headers.get("accept", ""))


def takes_shim(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is a page that it can stand before."""
    whole = "content-encoding" not in headers and "content-range" not in headers
    return status != 304 and whole and headers.get("content-type", "").lower().startswith("text/html")
