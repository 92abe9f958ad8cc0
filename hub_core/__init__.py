"""The hub as a library: domain rules, storage, Git, permissions. It imports no other folder of this project."""
