"""How many digits a share of so many images is told with. Needs nothing."""

from __future__ import annotations

import math


def percent(share: float, n: int) -> str:
    """A share of `n` images with the digits that tell one of them: 59,999 of 60,000 are 99.998%.

    Two at least, so that sets of usual sizes look alike.
    """
    return f"{share:.{max(2, math.ceil(math.log10(n)) - 2)}%}"
