"""``python -m ros2_command`` is ``ros2``."""

import sys

from .main import main

sys.exit(main())
