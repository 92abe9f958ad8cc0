"""The look inside dataset repos: rows, columns and SQL."""
