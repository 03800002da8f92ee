"""The library for browsers, programs and agents: an HTTP API with a web page, and MCP. Calls the library, shows what
it says, and keeps out who may not ask. Has no logic of search of its own."""
