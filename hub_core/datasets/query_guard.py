"""What a query may say: one SELECT over the given tables. Judged on DuckDB's own syntax tree, by allowlist, before anything runs.

Runs in the query child process; depends on nothing of the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

TABLE_FUNCTIONS = {
    "range",
    "generate_series",
    "unnest",
    "json_each",
    "json_tree",
    "repeat",
    "repeat_row",
    "summary",
    "histogram",
    "histogram_values",
}
FORBIDDEN_SCALARS = {"current_setting", "getvariable", "write_log", "nextval", "currval", "current_query", "pg_conf_load_time"}
SCHEMAS = {"information_schema"}
QUERY_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}


class Refused(Exception):
    """The query asks for something that is not allowed; the text is for the caller."""


def check(connection: Any, sql: str, tables: set[str]) -> None:
    """Refuse everything but one SELECT (WITH, FROM, VALUES, DESCRIBE, SUMMARIZE) over the tables.

    Raises:
        Refused: it is something else.
        duckdb.Error: it is not SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise Refused("Exactly one statement can be run at a time.")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("Only SELECT, WITH, DESCRIBE and SUMMARIZE are allowed.")
    rows = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statements[0].query]).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        raise Refused("Only SELECT, WITH, DESCRIBE and SUMMARIZE are allowed.")
    nodes = list(_nodes(tree))
    known = {name.casefold() for name in tables} | {name.casefold() for name in _cte_names(nodes)}
    for node in nodes:
        _check_node(node, known, tables)


def _check_node(node: dict[str, Any], known: set[str], tables: set[str]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        name = str((node.get("function") or {}).get("function_name", "")).casefold()
        if name not in TABLE_FUNCTIONS:
            raise Refused(f"The function '{name}' is not allowed: queries cannot reach files, the network or the settings.")
    elif kind == "BASE_TABLE":
        schema, name = str(node.get("schema_name", "")).casefold(), str(node.get("table_name", ""))
        if schema in SCHEMAS:
            return
        if node.get("catalog_name") not in {"", "memory", None} or schema not in {"", "main"} or name.casefold() not in known:
            raise Refused(f"There is no table '{name[:100]}'. The tables are: {', '.join(sorted(tables)[:30])}.")
    elif isinstance(kind, str) and kind.endswith("_NODE") and kind not in QUERY_NODES:
        raise Refused("Only SELECT, WITH, DESCRIBE and SUMMARIZE are allowed; data cannot be changed.")
    elif "function_name" in node and str(node["function_name"]).casefold() in FORBIDDEN_SCALARS:
        raise Refused(f"The function '{node['function_name']}' is not allowed in queries.")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _cte_names(nodes: list[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        # Recursive parts carry their own name; the others are keys of a map.
        if isinstance(node.get("cte_name"), str):
            yield node["cte_name"]
        if isinstance(node.get("ctename"), str):
            yield node["ctename"]
        for entry in (node.get("cte_map") or {}).get("map") or []:
            yield str(entry.get("key", ""))
