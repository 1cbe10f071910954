"""The service: models over HTTP, by three protocols, and the page; app.py puts it together."""
