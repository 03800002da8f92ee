"""Pictures out of a library and into one, as files and tables; and the order among them. Does not know queries."""
