"""The HTTP API with its web page, and the MCP tools, over one library.

Authenticates callers and limits load; all search logic is the library's.
"""
