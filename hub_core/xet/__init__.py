"""Xet: large files as lists of chunks, sent and stored in containers of chunks (xorbs), so that equal chunks are sent once."""
