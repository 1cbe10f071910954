"""python -m deepmnist.page: fetch what the page runs models with, where installing could not."""

import sys

from deepmnist.page import runtime

sys.exit(runtime.main())
