"""Makes report.pdf from your answers, predictions, figures and runs:  python report.py"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tools import student_report

if __name__ == "__main__":
    sys.exit(student_report.main())
