"""What one writes first: a CSV of events from a file to Kafka, by the csv module and confluent-kafka.

Answers each line of standard input, a JSON object with bootstrap, topic and file, by one line: a JSON object with the rows and
the seconds that they took, all of them acknowledged, and the CPU seconds and the peak of memory in bytes of this process so far.
"""

import csv
import datetime
import json
import resource
import sys
import time

from confluent_kafka import Producer


def peak_bytes():
    # Not the resource module's, which begins with what the process had that started this one.
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def ingest(bootstrap, topic, file):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 20,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
    })
    rows = 0
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    begun = time.monotonic()
    with open(file, newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            at = datetime.datetime.fromisoformat(row["timestamp"].replace("Z", "+00:00"))
            event = {
                "user_id": row["user_id"],
                "timestamp": int(at.timestamp() * 1000),
                "type": row["type"],
                "item_id": row["item_id"],
                "price": float(row["price"]),
                "quantity": int(row["quantity"]),
                "referrer": row["referrer"],
                "is_member": row["is_member"] == "true",
            }
            while True:
                try:
                    producer.produce(topic, json.dumps(event), row["user_id"], on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
            rows += 1
            if rows % 1_000 == 0:
                producer.poll(0)
    producer.flush()
    if failures:
        raise RuntimeError(failures[0])
    seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": peak_bytes(),
    }


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(ingest(question["bootstrap"], question["topic"], question["file"])), flush=True)
