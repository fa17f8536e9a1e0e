"""Reads files as others read them: a line {"reader", "bytes", "delimiter"} in, a line of rows out.

A row is a list of fields, or of [name, value] where the file names them; the bytes are in hexadecimal. A file that the
reader refuses answers null.
"""

import csv
import io
import json
import os
import re
import sys
import tempfile

import duckdb
import pandas

READERS = {}


def reader(name, **options):
    def register(read):
        READERS[name] = lambda content, delimiter: read(content, delimiter, **options)
        return read

    return register


@reader("csv")
def python_csv(content, delimiter):
    lines = io.StringIO(content.decode("utf-8-sig"), newline="")
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]


@reader("pandas")
def pandas_csv(content, delimiter):
    # The first row as one of the data: pandas renames what it takes for a header.
    options = {"header": None, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    frame = pandas.read_csv(io.BytesIO(content), sep=delimiter, **options)
    return frame.values.tolist()


@reader("duckdb")
def duckdb_csv(content, delimiter):
    options = f"delim='{delimiter}', quote='\"', escape='\"', header=false, all_varchar=true, sample_size=-1"
    rows = in_file(content, lambda path: duckdb.sql(f"SELECT * FROM read_csv('{path}', {options})").fetchall())
    return [["" if field is None else field for field in row] for row in rows]


@reader("json")
def python_json(content, delimiter):
    return [flat(number_kept(content.decode("utf-8")))]


@reader("json array")
def python_json_array(content, delimiter):
    rows = number_kept(content.decode("utf-8-sig"))
    if isinstance(rows, Pairs):
        raise ValueError("not an array")
    return [flat(row) for row in rows]


@reader("json objects")
def python_json_objects(content, delimiter):
    text, rows = content.decode("utf-8-sig"), []
    while text.strip(BLANKS):
        value, end = DECODER.raw_decode(text.lstrip(BLANKS))
        text = text.lstrip(BLANKS)[end:]
        rows.append(flat(value))
    return rows


@reader("duckdb json", layout="newline_delimited")
@reader("duckdb json array", layout="array")
@reader("duckdb json objects", layout="unstructured")
def duckdb_json(content, delimiter, layout):
    query = f"SELECT json FROM read_json_objects('{{}}', format='{layout}')"
    rows = in_file(content, lambda path: duckdb.sql(query.format(path)).fetchall())
    return [flat(number_kept(row[0])) for row in rows]


class Number(str):
    """A number as it is written."""


class Pairs(list):
    """The members of an object: a name that stands twice is seen twice."""


BLANKS = " \t\r\n"
DECODER = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=Pairs)


def number_kept(text):
    return DECODER.decode(text)


def flat(value, path=""):
    """Members by their path, as Cortex names columns."""
    if not isinstance(value, Pairs):
        raise ValueError("not an object")
    members = []
    for name, member in value:
        if isinstance(member, Pairs):
            members += flat(member, f"{path}{name}.")
        else:
            members.append([path + name, plain(member)])
    return members


def plain(value):
    """A list of scalars is a list of texts, without the nulls; one of others is its JSON."""
    if isinstance(value, Number):
        return {"number": str(value)}
    if not isinstance(value, list):
        return value
    if any(isinstance(item, list) for item in value):
        return {"json": nested(value)}
    return [item if isinstance(item, str) else json.dumps(item) for item in value if item is not None]


def nested(value):
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, Pairs):
        return {name: nested(member) for name, member in value}
    if isinstance(value, list):
        return [nested(item) for item in value]
    return value


def escape_shown(half):
    return f"\\\\u{ord(half[0]):04x}"


def in_file(content, read):
    with tempfile.NamedTemporaryFile(suffix=".txt", delete=False) as file:
        file.write(content)
    try:
        return read(file.name)
    finally:
        os.unlink(file.name)


for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="\n"):
    question = json.loads(line)
    try:
        answer = READERS[question["reader"]](bytes.fromhex(question["bytes"]), question["delimiter"])
        # Half a pair of surrogates is no text: it is answered as the escape that it was.
        answer = re.sub("[\ud800-\udfff]", escape_shown, json.dumps(answer, ensure_ascii=False))
    except (ValueError, csv.Error, duckdb.Error, RecursionError):
        answer = "null"
    print(answer, flush=True)
