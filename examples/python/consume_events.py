"""Reads Cortex's typed events and prints each as a line of JSON.

    pip install -r requirements.txt
    python -m grpc_tools.protoc -I ../../proto --python_out=. cortex/records/v1/records.proto
    python consume_events.py localhost:9092 my-consumers [--until-end] [--set NAME=VALUE ...]

--set takes any setting of librdkafka's that the cluster wants besides, such as security.protocol=sasl_ssl. With --until-end it
ends once it has read what there was.
"""

import argparse
import sys

from confluent_kafka import Consumer, KafkaError, TopicPartition
from google.protobuf.json_format import MessageToJson, Parse

from cortex.records.v1.records_pb2 import Event

TOPIC = "cortex.events.v1"


def main():
    parser = argparse.ArgumentParser(description="Prints Cortex's typed events.")
    parser.add_argument("bootstrap", metavar="HOST:PORT")
    parser.add_argument("group", metavar="GROUP")
    parser.add_argument("--until-end", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    settings |= {
        "bootstrap.servers": arguments.bootstrap,
        "group.id": arguments.group,
        # Chunks that were taken back are not shown: they would come twice.
        "isolation.level": "read_committed",
        # Offsets move once the records are dealt with, not when they are fetched.
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    consumer.subscribe([TOPIC])
    try:
        consume(consumer, arguments.until_end)
    finally:
        consumer.close()


def consume(consumer, until_end):
    positions = {}
    ended = set()
    while True:
        for message in consumer.consume(num_messages=500, timeout=0.5):
            if message.error() is None:
                ended.discard(message.partition())
                handle(event_of(message))
                positions[message.partition()] = message.offset() + 1
            elif message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                sys.exit(f"the broker refuses: {message.error()}")
        if positions:
            # After a crash between handle and here the records come again: envelope.record_id tells them.
            offsets = [TopicPartition(TOPIC, partition, offset) for partition, offset in positions.items()]
            consumer.commit(offsets=offsets, asynchronous=False)
            positions.clear()
        assigned = len(consumer.assignment())
        if until_end and assigned and len(ended) == assigned:
            return


def event_of(message):
    """In whichever form the operator has values published; the header tells."""
    content_type, value = dict(message.headers())["content-type"].decode(), message.value()
    if content_type == "application/x-protobuf":
        return Event.FromString(value)
    if content_type == "application/x-confluent-protobuf":
        # A zero, four bytes of the schema's id, and a zero: the message is the first of its schema. With the schema registry
        # at hand, confluent_kafka.schema_registry.protobuf.ProtobufDeserializer does it.
        return Event.FromString(value[6:])
    if content_type == "application/json":
        return Parse(value, Event(), ignore_unknown_fields=True)
    sys.exit(f"nothing is known of {content_type} at offset {message.offset()} of partition {message.partition()}")


def handle(event):
    print(MessageToJson(event, preserving_proto_field_name=True, indent=None))


if __name__ == "__main__":
    main()
