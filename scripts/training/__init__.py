"""How the built-in model is trained: one file a step, run in order by `scripts/train_builtin.py`."""
