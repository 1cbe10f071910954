"""The page: one draws a digit and sees it read, by the model itself, in the browser.

`static/` is the page as a browser gets it; `files.py` puts it together with a bundle, for a service
to serve or as a folder for any server of files; `runtime.py` fetches what runs the model there.
"""

from deepmnist.page.files import POLICY, Asset, assets, write

__all__ = ["POLICY", "Asset", "assets", "write"]
