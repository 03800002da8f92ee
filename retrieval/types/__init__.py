"""The values that travel between rooms: frozen, typed, and free of behaviour. Imports `errors` only."""
