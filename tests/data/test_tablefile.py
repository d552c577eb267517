"""Tables are read as they were written."""

import pytest

from emovlm import UserError
from emovlm.data.tablefile import read_csv, read_jsonl


def rows(read, path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(path))


def test_csv_is_text_with_its_line(tmp_path):
    path = tmp_path / "t.csv"
    content = '\ufefffile_name , label,subject\r\na.mp4, None ,001\r\n\r\n"b, c.mp4",no,1.0\r\n'
    assert rows(read_csv, path, content) == [
        ({"file_name": "a.mp4", "label": "None", "subject": "001"}, f"{path}:2"),
        ({"file_name": "b, c.mp4", "label": "no", "subject": "1.0"}, f"{path}:4"),
    ]


def test_a_cell_may_hold_lines_and_odd_separators(tmp_path):
    found = rows(read_csv, tmp_path / "t.csv", 'a,b\n"x\ny",p\u2028q\n')
    assert [row for row, _ in found] == [{"a": "x\ny", "b": "p\u2028q"}]


def test_long_cells_blanks_and_any_script_are_read(tmp_path):
    content = '\ufefffile_name,label,text\r\n"my clip, 1.mp4","sch\xf6n",' + "\u8868\u60c5" * 2000 + "\r\n"
    (row, place), *_ = rows(read_csv, tmp_path / "t.csv", content)
    assert place == f"{tmp_path / 't.csv'}:2"
    assert row == {"file_name": "my clip, 1.mp4", "label": "sch\xf6n", "text": "\u8868\u60c5" * 2000}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; the first line must name the columns"),
        ("file_name;label\na;b\n", ":1: only one column, 'file_name;label'; separate the columns by commas"),
        ("a,a\n1,2\n", ":1: column name 'a' is empty or given twice"),
        ("a,\n1,2\n", ":1: column name '' is empty or given twice"),
        ("a,b\n1,2,3\n", ":2: 3 cells for 2 columns"),
        ("a,b\n1,2\n1\n", ":3: 1 cells for 2 columns"),
        ('a,b\n1,"2\n', "is no regular csv"),
        ("a,b\n\xe4,2\n".encode("latin-1"), "t.csv:2: is not UTF-8 (byte 4); save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "t.csv:1: holds a zero byte"),
        ("a,b\n1,2\n3,\0\n", "t.csv:3: holds a zero byte"),
    ],
)
def test_irregular_csv_is_refused(tmp_path, content, message):
    with pytest.raises(UserError) as caught:
        rows(read_csv, tmp_path / "t.csv", content)
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))
    assert message in str(caught.value)


def test_json_numbers_become_ids_as_written(tmp_path):
    path = tmp_path / "t.jsonl"
    content = '{"id": 10, "subject": 1.50, "apex_s": 0.5, "source": 1e3}\n\n{"id": "007", "label": "no"}\n'
    assert rows(read_jsonl, path, content) == [
        ({"id": "10", "subject": "1.50", "apex_s": 0.5, "source": "1e3"}, f"{path}:1"),
        ({"id": "007", "label": "no"}, f"{path}:3"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1}\n{"id": }\n', ":2: is no valid JSON"),
        ("[1]\n", ":1: a row must be an object"),
        ('{"id": "1", "id": "2"}\n', ":1: is no valid JSON (key 'id' is given twice)"),
        ('{"id": "1"}\n{"id": "1", " id": "2"}\n', ":2: two keys differ in blanks alone ('id', ' id')"),
        ('{"id": "1\\u0000"}\n', ":1: holds a zero character"),
        ('{"id": "1"}\n{"id": "\xe4"}\n'.encode("latin-1"), ":2: is not UTF-8 (byte 20); save it as UTF-8"),
    ],
)
def test_irregular_json_is_refused(tmp_path, content, message):
    with pytest.raises(UserError) as caught:
        rows(read_jsonl, tmp_path / "t.jsonl", content)
    assert message in str(caught.value)
