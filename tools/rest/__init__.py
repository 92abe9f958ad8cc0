"""The registry over HTTP: `GET /api/v1/tools`, `POST /api/v1/tools/{name}`."""
