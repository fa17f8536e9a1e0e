package com.example;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import cortex.records.v1.Records.Event;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads Cortex's typed events and prints each as a line of JSON.
 *
 * <pre>
 * mvn -q package
 * java -cp 'target/classes:target/libs/*' com.example.ConsumeEvents localhost:9092 my-consumers [--until-end] [client.properties]
 * </pre>
 *
 * <p>{@code client.properties} holds what the cluster wants besides, such as {@code security.protocol} and {@code sasl.jaas.config}.
 * With {@code --until-end} it ends once it has read what there was at its start.
 */
public final class ConsumeEvents {
    private static final String TOPIC = "cortex.events.v1";

    public static void main(String[] arguments) throws IOException {
        boolean untilEnd = List.of(arguments).contains("--until-end");
        List<String> rest = List.of(arguments).stream().filter(one -> !one.equals("--until-end")).toList();
        if (rest.size() < 2 || rest.size() > 3) {
            System.err.println("usage: ConsumeEvents HOST:PORT GROUP [--until-end] [client.properties]");
            System.exit(64);
        }
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings(rest))) {
            consumer.subscribe(List.of(TOPIC));
            consume(consumer, untilEnd);
        }
    }

    private static Properties settings(List<String> arguments) throws IOException {
        Properties settings = new Properties();
        if (arguments.size() == 3) {
            try (FileInputStream file = new FileInputStream(arguments.get(2))) {
                settings.load(file);
            }
        }
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.get(0));
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, arguments.get(1));
        // Java's default is read_uncommitted, which also shows chunks that were taken back: they would come twice.
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        // Offsets move once the records are dealt with, not when they are fetched.
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class.getName());
        settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class.getName());
        return settings;
    }

    private static void consume(KafkaConsumer<byte[], byte[]> consumer, boolean untilEnd)
            throws InvalidProtocolBufferException {
        Map<TopicPartition, Long> ends = null;
        while (ends == null || !isAt(consumer, ends)) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                handle(event(record));
            }
            // After a crash between handle and here the records come again: envelope.record_id tells them.
            consumer.commitSync();
            if (untilEnd && ends == null && !consumer.assignment().isEmpty()) {
                // Under read_committed the end is where the oldest open transaction begins.
                ends = consumer.endOffsets(consumer.assignment());
            }
        }
    }

    private static boolean isAt(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    /** In whichever form the operator has values published; the header tells. */
    private static Event event(ConsumerRecord<byte[], byte[]> record) throws InvalidProtocolBufferException {
        byte[] value = record.value();
        String contentType = new String(record.headers().lastHeader("content-type").value(), StandardCharsets.UTF_8);
        switch (contentType) {
            case "application/x-protobuf":
                return Event.parseFrom(value);
            case "application/x-confluent-protobuf":
                // A zero, four bytes of the schema's id, and a zero: the message is the first of its schema. With the schema
                // registry at hand, Confluent's KafkaProtobufDeserializer does it.
                return Event.parseFrom(ByteBuffer.wrap(value, 6, value.length - 6));
            case "application/json":
                Event.Builder event = Event.newBuilder();
                JsonFormat.parser().ignoringUnknownFields().merge(new String(value, StandardCharsets.UTF_8), event);
                return event.build();
            default:
                throw new IllegalArgumentException("nothing is known of " + contentType + ": " + record.topic() + "/"
                        + record.partition() + "/" + record.offset());
        }
    }

    private static void handle(Event event) throws InvalidProtocolBufferException {
        JsonFormat.Printer printer = JsonFormat.printer().omittingInsignificantWhitespace().preservingProtoFieldNames();
        System.out.println(printer.print(event));
    }
}
