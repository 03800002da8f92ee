"""The machine a process runs on: devices, the model hub, clocks and caches in memory."""
