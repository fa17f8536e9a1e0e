"""Another opinion on protobuf's JSON: Google's own. Each line is a message's name, its bytes in base64 and its JSON; the answer is
the JSON that this makes of the bytes, or what is wrong."""

import base64
import importlib.resources
import pathlib
import sys
import tempfile

from google.protobuf import json_format
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).parents[4] / "proto"


def main():
    with tempfile.TemporaryDirectory() as out:
        known = importlib.resources.files("grpc_tools") / "_proto"
        protoc.main(["", f"-I{PROTO}", f"-I{known}", f"--python_out={out}", "cortex/records/v1/records.proto"])
        sys.path.insert(0, out)
        from cortex.records.v1 import records_pb2

        for line in sys.stdin:
            name, value, text = line.rstrip("\n").split("\t", 2)
            message = getattr(records_pb2, name.rsplit(".", 1)[1])
            told = message.FromString(base64.b64decode(value))
            try:
                read = json_format.Parse(text, message())
            except json_format.ParseError as error:
                read = error
            answer = json_format.MessageToJson(told, indent=None) if read == told else f"{read} is not {told}"
            print(" ".join(answer.splitlines()), flush=True)


if __name__ == "__main__":
    main()
