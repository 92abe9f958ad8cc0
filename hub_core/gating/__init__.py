"""Gated repos: everybody who sees one may ask for its files, and somebody (or the hub, at once) says yes or no."""
