"""An endpoint that does nothing, on the same stack: what benchmarks/serve.py compares with.

    python -m benchmarks.empty

It reads its body, as any endpoint must, and answers {}; FastAPI and uvicorn, as they come.
"""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI, Request

from deepmnist.service import server


def main() -> None:
    """Serve on a free port, which is printed."""
    app = FastAPI()

    @app.post("/empty")
    async def empty(request: Request) -> dict[str, str]:
        await request.body()
        return {}

    with server.listening("127.0.0.1", 0) as listener:
        print(f"Serving nothing at {server.address(listener)}", flush=True)
        config = uvicorn.Config(app, access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
