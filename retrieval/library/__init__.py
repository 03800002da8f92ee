"""What every face calls: a library, its read-only view, the services behind it, models and measurements."""
