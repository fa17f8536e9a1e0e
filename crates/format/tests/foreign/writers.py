"""Writes tables as others write them: a line {"writer", "path", "header", "rows"} in, "ok" out."""

import csv
import io
import json
import sys
import zipfile

import duckdb
import pandas

# pandas and DuckDB compress by the name of a file or by an option; the path's suffix has no say here.
WRITERS = {}


def writer(name, **options):
    def register(write):
        WRITERS[name] = lambda table: write(table, **options)
        return write

    return register


@writer("csv excel", encoding="utf-8", dialect="excel")
@writer("csv excel-tab", encoding="utf-8", dialect="excel-tab")
@writer("csv unix", encoding="utf-8", dialect="unix")
@writer("csv quoting strings", encoding="utf-8", dialect="excel", quoting=csv.QUOTE_NONNUMERIC)
@writer("csv pipe", encoding="utf-8", dialect="excel", delimiter="|")
@writer("csv Excel UTF-8", encoding="utf-8-sig", dialect="excel", delimiter=";")
@writer("csv Excel Unicode text", encoding="utf-16", dialect="excel-tab")
def python_csv(table, encoding, **dialect):
    with open(table["path"], "w", encoding=encoding, newline="") as file:
        out = csv.writer(file, **dialect)
        out.writerow(table["header"])
        out.writerows(table["rows"])


@writer("csv Excel sep", encoding="utf-8-sig")
def python_csv_sep(table, encoding):
    with open(table["path"], "w", encoding=encoding, newline="") as file:
        file.write("sep=;\r\n")
        out = csv.writer(file, dialect="excel", delimiter=";")
        out.writerow(table["header"])
        out.writerows(table["rows"])


@writer("json lines", ensure_ascii=True)
@writer("json lines, compact", ensure_ascii=False, separators=(",", ":"))
def json_lines(table, **options):
    with open(table["path"], "w", encoding="utf-8", newline="") as file:
        for row in objects(table):
            file.write(json.dumps(row, **options) + "\n")


@writer("json lines, CRLF and BOM", encoding="utf-8-sig", between="\r\n", indent=None)
@writer("json objects", encoding="utf-8", between="\n", indent=2)
@writer("json objects, nothing between", encoding="utf-8", between="", indent="\t")
def json_objects(table, encoding, between, indent):
    with open(table["path"], "w", encoding=encoding, newline="") as file:
        for row in objects(table):
            file.write(json.dumps(row, indent=indent, ensure_ascii=False) + between)


@writer("json array", encoding="utf-8", indent=None)
@writer("json array, indented", encoding="utf-8", indent=4)
@writer("json array, UTF-16", encoding="utf-16", indent=None)
def json_array(table, encoding, indent):
    with open(table["path"], "w", encoding=encoding, newline="") as file:
        json.dump(objects(table), file, indent=indent, ensure_ascii=False)


@writer("zipfile", compression=zipfile.ZIP_DEFLATED)
@writer("zipfile, to a pipe", compression=zipfile.ZIP_DEFLATED, to=lambda file: Pipe(file))
@writer("zipfile, to a pipe, stored", compression=zipfile.ZIP_STORED, to=lambda file: Pipe(file))
@writer("zipfile, to a pipe, zip64", compression=zipfile.ZIP_DEFLATED, to=lambda file: Pipe(file), zip64=True)
def python_zip(table, compression, to=lambda file: file, zip64=False):
    rows = objects(table)
    with open(table["path"], "wb") as file, zipfile.ZipFile(to(file), "w", compression) as archive:
        archive.writestr("rows/", b"")
        archive.writestr("empty.json", b"")
        for index, part in enumerate((rows[:1], rows[1:])):
            # Entry by entry, so that not even their sizes are known when they begin.
            with archive.open(f"rows/{index}.jsonl", "w", force_zip64=zip64) as entry:
                for row in part:
                    entry.write(json.dumps(row).encode() + b"\n")


class Pipe:
    """A file that cannot be sought in: checksums and sizes then stand behind the data (data descriptors)."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


@writer("pandas csv")
@writer("pandas csv, tab", sep="\t")
@writer("pandas csv, semicolon", sep=";", lineterminator="\r\n", encoding="utf-8-sig")
@writer("pandas csv, UTF-16", encoding="utf-16", quoting=csv.QUOTE_ALL)
@writer("pandas csv, gzip", compression="gzip", quoting=csv.QUOTE_ALL)
@writer("pandas csv, bzip2", compression="bz2", quoting=csv.QUOTE_ALL)
@writer("pandas csv, zip", compression={"method": "zip", "archive_name": "table.csv"}, quoting=csv.QUOTE_ALL)
def pandas_csv(table, **options):
    frame(table).to_csv(table["path"], index=False, **options)


@writer("pandas json lines", lines=True)
@writer("pandas json lines, gzip", lines=True, compression="gzip", force_ascii=False)
@writer("pandas json array", indent=2)
def pandas_json(table, **options):
    frame(table).to_json(table["path"], orient="records", **options)


@writer("duckdb csv", options="FORMAT csv, HEADER")
@writer("duckdb csv, semicolon", options="FORMAT csv, HEADER, DELIMITER ';', FORCE_QUOTE *")
@writer("duckdb csv, gzip", options="FORMAT csv, HEADER, COMPRESSION gzip")
@writer("duckdb csv, zstd", options="FORMAT csv, HEADER, COMPRESSION zstd")
@writer("duckdb json lines", options="FORMAT json")
@writer("duckdb json array", options="FORMAT json, ARRAY true")
@writer("duckdb json lines, zstd", options="FORMAT json, COMPRESSION zstd")
def duckdb_copy(table, options):
    columns = frame(table)  # noqa: F841, named in the query
    path = table["path"].replace("'", "''")
    duckdb.sql(f"COPY (SELECT * FROM columns) TO '{path}' ({options})")


def objects(table):
    return [dict(zip(table["header"], row)) for row in table["rows"]]


def frame(table):
    return pandas.DataFrame(table["rows"], columns=table["header"], dtype=object)


for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="\n"):
    table = json.loads(line)
    WRITERS[table["writer"]](table)
    print("ok", flush=True)
