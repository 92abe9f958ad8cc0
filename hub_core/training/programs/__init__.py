"""Programs that run in processes of their own, most of them with packages that the hub does not have."""
