"""The registry over MCP: streamable HTTP at `/mcp`, stdio as `hubtalk mcp`. Everything of the `mcp` SDK stays in this folder."""
