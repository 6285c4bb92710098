"""The IPython that runs in this process, in a notebook's kernel or in a terminal."""

import sys
from typing import Any


def running_shell() -> Any:
    """Give the interactive shell of this process, None without one; never loads IPython.

    Example:
        >>> running_shell() is None
        True
    """
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_ipython is None else get_ipython()
