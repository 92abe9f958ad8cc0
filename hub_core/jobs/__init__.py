"""Background work: rows in the database, run by the worker threads of any process of the hub."""
