"""Documentation; the reference pages are written by `python -m docs.generate`."""
