"""Makes report.pdf from your answers, predictions, figures and runs:  python report.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    from tools.students import my_report
except ModuleNotFoundError as error:  # the system's Python, not the lab's
    from lab.base.messages import _  # it needs no package

    sys.exit(
        str(
            _(
                "{error}. In this folder: .venv/bin/python report.py "
                r"(Windows: .venv\Scripts\python report.py).",
                error=error,
            )
        )
    )

if __name__ == "__main__":
    sys.exit(my_report.main())
