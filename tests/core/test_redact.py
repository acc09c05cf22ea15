from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_hpo.core.redact import printable, redacted, without_credentials


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:5000/path?token=secret#x", "http://host:5000/path"),
        ("https://host?token=secret", "https://host"),
        ("https://secret-token@host/path", "https://host/path"),
        ("postgresql://u:p@ss@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql://u:se/cret@db/mlflow", "postgresql://db/mlflow"),
        ("mysql+pymysql://u:se?cret@db:3306/mlflow", "mysql+pymysql://db:3306/mlflow"),
        ("sqlite:////tmp/mlflow.db", "sqlite:////tmp/mlflow.db"),
        ("sqlite:////home/me@work/mlflow.db?timeout=3", "sqlite:////home/me@work/mlflow.db"),
        ("databricks", "databricks"),
        ("", ""),
    ],
)
def test_uris_are_shown_without_credentials(uri, shown):
    assert without_credentials(uri) == shown


@settings(derandomize=True)
@given(st.text("abc:/?#@%$ '0", min_size=1).map("x{}x".format))
def test_whatever_is_in_a_password_none_of_it_is_shown(password):
    assert without_credentials(f"postgresql://user:{password}@db:5432/mlflow") == "postgresql://db:5432/mlflow"


def test_each_uri_of_a_text_is_redacted():
    text = "'http://u:secret@a:1/x?token=secret' refused, <mysql://u:secret@b/c> too; see https://docs.example/a#b"
    assert redacted(text) == "'http://a:1/x' refused, <mysql://b/c> too; see https://docs.example/a#b"


def test_what_commands_a_terminal_is_written_out():
    assert printable("a\x1b[31m\r\t\u202eb\nc") == "a\\x1b[31m\\r\\t\\u202eb\nc"
    assert printable("ünï cödé 数据 🙂") == "ünï cödé 数据 🙂"
