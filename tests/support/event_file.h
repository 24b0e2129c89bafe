/**
 * Reads event files of TensorBoard back: every length and CRC is checked, the CRC bit by bit.
 */
#ifndef DT_TESTS_EVENT_FILE_H
#define DT_TESTS_EVENT_FILE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tensorboard.pb-c.h>

#include "support/scratch.h"
#include "support/sentence.h"

/** The most events that a file of a test has. */
#define EVENTS_MAX 512

typedef struct event_file {
    Tensorboard__Event *events[EVENTS_MAX];
    int count;
} event_file;

/* CRC-32C (RFC 3720, appendix B.4), as event files mask it. */
static inline uint32_t masked_crc(const uint8_t *bytes, size_t length) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static inline uint64_t little_endian(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/** All events of `path`, which must be whole records to its end; event_file_free frees them. */
static inline event_file event_file_read(const char *path) {
    event_file file = {.count = 0};
    size_t length;
    char *text = scratch_get(path, &length);
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t at = 0; at < length;) {
        assert_true(length - at >= 16);
        const uint64_t size = little_endian(bytes + at, 8);
        assert_true(size <= length - at - 16);
        assert_int_equal(little_endian(bytes + at + 8, 4), masked_crc(bytes + at, 8));
        assert_int_equal(little_endian(bytes + at + 12 + size, 4), masked_crc(bytes + at + 12, size));
        assert_true(file.count < EVENTS_MAX);
        file.events[file.count] = tensorboard__event__unpack(NULL, size, bytes + at + 12);
        assert_non_null(file.events[file.count++]);
        at += 16 + size;
    }
    free(text);
    return file;
}

static inline void event_file_free(event_file *file) {
    for (int i = 0; i < file->count; i++)
        tensorboard__event__free_unpacked(file->events[i], NULL);
    file->count = 0;
}

/** The paths of the event files in `folder`, in the order of a reader; free with dt_file_free_names. */
static inline char **event_file_paths(const char *folder, size_t *count) {
    char **names;
    assert_done(dt_file_list(folder, &names, count));
    for (size_t i = 0; i < *count; i++) {
        char *path = dt_file_join(folder, names[i]);
        assert_int_equal(strncmp(names[i], "events.out.tfevents.", 20), 0);
        free(names[i]);
        names[i] = path;
    }
    return names;
}

/** The value with this tag in the event's summary, or NULL. */
static inline const Tensorboard__Summary__Value *event_value(const Tensorboard__Event *event,
                                                             const char *tag) {
    if (event->what_case != TENSORBOARD__EVENT__WHAT_SUMMARY)
        return NULL;
    for (size_t i = 0; i < event->summary->n_value; i++)
        if (strcmp(event->summary->value[i]->tag, tag) == 0)
            return event->summary->value[i];
    return NULL;
}

#endif
