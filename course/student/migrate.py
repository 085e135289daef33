"""Takes your answers and runs over from an older folder of this lab:  python migrate.py FOLDER"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    from tools.students import migrate
except ModuleNotFoundError as error:  # the system's Python, not the lab's
    from lab.base.messages import _  # it needs no package

    sys.exit(
        str(
            _(
                "{error}. In this folder: .venv/bin/python migrate.py FOLDER "
                r"(Windows: .venv\Scripts\python migrate.py FOLDER).",
                error=error,
            )
        )
    )

if __name__ == "__main__":
    sys.exit(migrate.main())
