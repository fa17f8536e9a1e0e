#!/usr/bin/env python3
"""Writes the files of this folder: what customers' exports get wrong. Every byte is the same in every run."""

import bz2
import gzip
import io
import pathlib
import zipfile

HERE = pathlib.Path(__file__).parent / "2023-11-23"
HEADER = "user_id,timestamp,type\n"
GOOD = "u-1,2023-11-23T10:00:00Z,view\n"
OBJECT = '{"user_id":"u-1","timestamp":"2023-11-23T10:00:00Z","type":"view"}\n'


def put(name, content):
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def packed(content):
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)


def archive(*entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(zipfile.ZipInfo(name, (2023, 11, 23, 0, 0, 0)), content)
    return out.getvalue()


# Dialects and encodings: nothing is wrong with these.
put("bom.csv", "\ufeff" + HEADER + GOOD)
put("crlf.csv", (HEADER + GOOD).replace("\n", "\r\n"))
put("cr.csv", (HEADER + GOOD).replace("\n", "\r"))
put("excel-semicolons.csv", "\ufeffsep=;\r\nuser_id;timestamp;type\r\nu-1;2023-11-23;\"a;b\"\r\n")
put("pipes.csv", (HEADER + GOOD).replace(",", "|"))
put("tabs.tsv", (HEADER + GOOD).replace(",", "\t"))
put("utf-16-le.csv", "\ufeff".encode("utf-16-le") + (HEADER + GOOD + "ü,2023-11-23,日本\n").encode("utf-16-le"))
put("utf-16-be.json", "\ufeff".encode("utf-16-be") + OBJECT.encode("utf-16-be"))
put("upper-case-header.csv", "USER_ID, Timestamp ,TYPE\n" + GOOD)
put("blank-lines.csv", "\n\n" + HEADER + "\n" + GOOD + "\n\n" + GOOD)
put("no-last-line-end.csv", (HEADER + GOOD).rstrip("\n"))
put("quotes.csv", HEADER + 'u-1,2023-11-23,"a ""quoted"", type\non two lines"\nu-2,2023-11-23,5" pipe\n')
put("array.json", "[" + OBJECT.strip() + ",\n " + OBJECT.strip() + "]\n")
put("pretty.json", '{\n  "user_id": "u-1",\n  "timestamp": 1700733907,\n  "type": "view",\n'
    '  "address": {"city": "Ghent", "lines": [["deep"]]},\n  "tags": ["a", "b"]\n}\n' + OBJECT)
put("two-members.csv.gz", packed(HEADER + GOOD) + packed(GOOD))
put("zeros-behind.csv.gz", packed(HEADER + GOOD) + bytes(512))
put("plain.csv.bz2", bz2.compress((HEADER + GOOD).encode()))
put("several.zip", archive(("a.csv", HEADER + GOOD), ("__MACOSX/._a.csv", "x"), ("b/b.json", OBJECT), ("c/", "")))
put("dots.zip", archive(("./a.csv", HEADER + GOOD), ("../../b.csv", HEADER + GOOD), (".c.csv", "x"), ("d/.e/f.csv", "x")))
put("named-csv-but-gzip.csv", packed(HEADER + GOOD))
put("timestamps.csv", HEADER + "".join(f"u-1,{at},view\n" for at in (
    "2023-11-23", "2023-11-23 10:00", "2023-11-23T10:00:00.123456789+02:00", "1700733907", "1700733907.5",
    '"2023-11-23T10:00:00,5Z"')))

# Rows that are rejected.
put("bad-timestamps.csv", HEADER + "".join(f"u-1,{at},view\n" for at in (
    "03/04/2021", "23.11.23", "20231123", "2023112310", "20231123100507", "1969-12-31", "9999-12-31", "soon", "2023-02-30")))
put("missing-values.csv", HEADER + ",2023-11-23,view\nu-1,,view\nu-1,2023-11-23,\n" + GOOD)
put("field-counts.csv", HEADER + "u-1,2023-11-23\nu-1,2023-11-23,a,b\n" + GOOD)
put("nameless-columns.csv", "user_id,timestamp,type,,\nu-1,2023-11-23,view,,\nu-2,2023-11-23,view,a,b\n")
put("latin-1.csv", (HEADER + GOOD).encode() + "Zoë,2023-11-23,view\n".encode("latin-1") + GOOD.encode())
put("open-quote.csv", HEADER + GOOD + 'u-2,2023-11-23,"never closed\n' + GOOD * 3)
put("behind-quote.csv", HEADER + 'u-1,2023-11-23,"a"b\n' + GOOD)
put("bad-lines.jsonl", OBJECT + '{"user_id": "u-1",\n[1, 2]\n"text"\n{"user_id":"\\ud800","timestamp":1,"type":"t"}\n'
    '{"a":1,"a":2}\n' + OBJECT)
put("deep.jsonl", OBJECT + '{"user_id":' + "[" * 100 + "]" * 100 + "}\n" + OBJECT)
put("half-surrogate.csv", "\ufeff".encode("utf-16-le") + (HEADER + "u").encode("utf-16-le") + b"\x00\xd8"
    + (",2023-11-23,view\n" + GOOD).encode("utf-16-le"))

# Files that are refused, or end early.
put("empty.csv", "")
put("header-only.csv", HEADER)
put("no-valid-row.csv", HEADER + "u-1,soon,view\n")
put("other-header.csv", "userid,time,kind\nu-1,2023-11-23,view\n")
put("duplicate-column.csv", "user_id,timestamp,type,type\nu-1,2023-11-23,a,b\n")
put("broken-array.json", "[" + OBJECT.strip() + ", {oops}, " + OBJECT.strip() + "]")
put("cut-array.json", "[" + OBJECT.strip() + ", {\"user_id\":")
put("cut.csv.gz", packed(HEADER + GOOD)[:-6])
put("damaged.csv.gz", packed(HEADER + GOOD)[:-5] + b"\0" + packed(HEADER + GOOD)[-4:])
put("nested.zip", archive(("inner.zip", archive(("a.csv", HEADER + GOOD)))))
put("json.csv", OBJECT)
put("text.json", HEADER + GOOD)
put("plain.csv.zst", HEADER + GOOD)
put("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40))
put("page.csv", "<!DOCTYPE html><html><body>Sign in</body></html>\n")
put("utf-32.csv", "\ufeff".encode("utf-32-le") + HEADER.encode("utf-32-le"))
put("utf-16-without-mark.csv", (HEADER + GOOD).encode("utf-16-le"))

# Warnings.
put("odd-times.csv", HEADER + "u-1,1700733907,view\nu-2,1700733907000,view\nu-3,2019-01-01,view\n")
put("new-column.csv", "user_id,timestamp,type,price\nu-1,2023-11-23,buy,9.5\n")
