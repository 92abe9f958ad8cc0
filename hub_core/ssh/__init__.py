"""Git over SSH: people's keys, the same permissions as over HTTP, and a pass for Git LFS. An edge like `hub_core/http`: asynchronous."""
