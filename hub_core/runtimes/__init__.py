"""Programs that serve models, as data files: what each serves, how it is started, what it needs."""
