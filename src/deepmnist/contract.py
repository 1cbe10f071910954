"""The input contract in numbers: what an image is, for everyone who makes or takes one.

images.py brings any picture of one digit there; docs/input-contract.md tells how.
"""

from __future__ import annotations

CONTRACT_VERSION = 1  # raised when what an image is changes

SIDE = 28  # pixels, height and width of an image
BOX = 20  # pixels, the longest side of the digit in it
CENTRE = SIDE // 2  # row and column of the pixel at the digit's centre of mass
INK = 255  # the level of a full stroke; 0 is paper
