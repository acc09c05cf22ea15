"""What is shown of a study while it runs, and when it has ended.

The study hands each of its events to a `ProgressState`, which costs it microseconds; a thread looks at that four times
a second at most, and gives what it sees to a display: a terminal's, a notebook's, or plain lines.
"""

from mlflow_hpo.study.progress._choice import is_terminal
from mlflow_hpo.study.progress._show import shown_study

__all__ = ["is_terminal", "shown_study"]
