"""A consumer by Confluent's own client of schema registries, and its own deserializer.

    confluent.py register REGISTRY           registers schemas: an object of JSON on standard input, by topic
    confluent.py read REGISTRY BOOTSTRAP     prints each event that is in Confluent's wire format as a line of JSON, read by what
                                             protoc makes of the schema that the registry has under the event's id
"""

import importlib
import importlib.resources
import json
import struct
import sys
import tempfile

from confluent_kafka import Consumer, KafkaError
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.json_format import MessageToJson
from grpc_tools import protoc

TOPIC = "cortex.events.v1"


def register(registry):
    for topic, text in json.load(sys.stdin).items():
        registry.register_schema(f"{topic}-value", Schema(text, "PROTOBUF"))


def generated(text):
    """The class of the schema's first message."""
    folder = tempfile.mkdtemp()
    with open(f"{folder}/schema.proto", "w") as file:
        file.write(text)
    known = importlib.resources.files("grpc_tools") / "_proto"
    if protoc.main(["", f"-I{folder}", f"-I{known}", f"--python_out={folder}", "schema.proto"]) != 0:
        sys.exit("protoc does not take the registry's schema")
    sys.path.insert(0, folder)
    module = importlib.import_module("schema_pb2")
    return getattr(module, module.DESCRIPTOR.message_types_by_name.values()[0].name)


def read(registry, bootstrap):
    versions = registry.get_versions(f"{TOPIC}-value")
    if versions != [1]:
        sys.exit(f"more than one version was registered: {versions}")
    registered = registry.get_version(f"{TOPIC}-value", 1)
    settings = {"bootstrap.servers": bootstrap, "group.id": "confluent", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings | {"enable.auto.commit": False, "enable.partition.eof": True})
    consumer.subscribe([TOPIC])
    deserializer, ended = None, set()
    while not ended or len(ended) < len(consumer.assignment()):
        for message in consumer.consume(num_messages=500, timeout=0.5):
            if message.error() is not None:
                if message.error().code() != KafkaError._PARTITION_EOF:
                    sys.exit(f"the broker refuses: {message.error()}")
                ended.add(message.partition())
            elif dict(message.headers())["content-type"] == b"application/x-confluent-protobuf":
                magic, number = struct.unpack(">bI", message.value()[:5])
                if (magic, number) != (0, registered.schema_id):
                    sys.exit(f"magic byte {magic} and id {number}, not 0 and {registered.schema_id}")
                if deserializer is None:
                    event = generated(registry.get_schema(number).schema_str)
                    deserializer = ProtobufDeserializer(event, {"use.deprecated.format": False})
                context = SerializationContext(TOPIC, MessageField.VALUE)
                event = deserializer(message.value(), context)
                print(MessageToJson(event, preserving_proto_field_name=True, indent=None))
    consumer.close()


if __name__ == "__main__":
    command, url, *arguments = sys.argv[1:]
    {"register": register, "read": read}[command](SchemaRegistryClient({"url": url}), *arguments)
