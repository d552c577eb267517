"""Tables as sets ship them: read cell by cell, or refused in one line."""

import contextlib
import random
import zipfile

from emovlm import UserError
from emovlm.data import spreadsheet

from . import layouts
from .layouts._films import damaged, workbook
from .reading import refused


class TestSpreadsheet:
    COLUMNS = {"clip": ("Filename",), "onset": ("OnsetFrame", "Onset Frame"), "units": ("AU",)}

    def read(self, path, **more):
        return [row for row, _ in spreadsheet.read_table(path, self.COLUMNS, **more)]

    def test_numbers_are_written_as_they_were_typed(self, tmp_path):
        lines = [
            ["notes"],
            [None],
            ["Filename", None, "Onset\nFrame", "AU"],
            ["01", 1.5, 46.0, None],
            [None, 3],
            [1, 2, "/"],
        ]
        path = workbook(tmp_path / "a.xlsx", {"first": [["nothing"]], "second": lines})
        assert self.read(path, sheet="second") == [
            {"clip": "01", "onset": "46", "units": ""},
            {"clip": "1", "onset": "/", "units": ""},
        ]
        assert "no line names the columns Filename, OnsetFrame, AU" in refused(self.read, path)
        assert "has no sheet 'third'; it has first, second" in refused(self.read, path, sheet="third")

    def test_damaged_and_old_files_are_refused(self, tmp_path):
        (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 and then nothing")
        assert "cannot be read as a spreadsheet" in refused(self.read, tmp_path / "a.xlsx")
        assert "only .xlsx and .csv are read" in refused(self.read, tmp_path / "a.xls")
        (tmp_path / "a.csv").write_bytes("Filename,\xe4".encode("latin-1"))
        assert "is not UTF-8" in refused(self.read, tmp_path / "a.csv")

    def test_a_quote_that_nothing_closes_takes_no_rows_with_it(self, tmp_path):
        layouts.text(tmp_path / "a.csv", "Filename,OnsetFrame,AU", "a,1,4", 'b,2,"5', "c,3,6", "d,4,7")
        assert "a.csv:3: cannot be read as csv (unexpected end of data)" in refused(self.read, tmp_path / "a.csv")

    def test_files_changed_at_random_are_read_or_refused(self, tmp_path):
        path = workbook(tmp_path / "a.xlsx", {"a": [["Filename", "OnsetFrame", "AU"], ["a", 1, "4"], ["b", 2, "5"]]})
        whole, dice = zipfile.ZipFile(path), random.Random(0)
        parts = {name: whole.read(name) for name in whole.namelist()}
        for _ in range(60):
            with zipfile.ZipFile(path, "w") as changed:
                for name, content in parts.items():
                    changed.writestr(name, damaged(content, dice) if dice.random() < 0.3 else content)
            if dice.random() < 0.5:
                path.write_bytes(damaged(path.read_bytes(), dice))
            with contextlib.suppress(UserError):
                self.read(path)

    def test_one_table_or_the_one_that_is_named(self, tmp_path):
        for name in ("CASME2-a.xlsx", "CASME2-b.csv", "~CASME2.xlsx"):
            (tmp_path / name).touch()
        assert "holds 2 tables CASME2" in refused(spreadsheet.find_sheet, tmp_path, "CASME2")
        assert spreadsheet.find_sheet(tmp_path, "CASME2", "CASME2-b.csv").name == "CASME2-b.csv"
        assert "there is no file" in refused(spreadsheet.find_sheet, tmp_path, "CASME2", "c.csv")
