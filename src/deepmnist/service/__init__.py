"""The service: models over HTTP, by two protocols, and the page; app.py puts it together."""
