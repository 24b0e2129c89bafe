/**
 * An event file of TensorBoard: records, each a packed Event (train/tensorboard.proto).
 *
 *     uint64  n, little-endian
 *     uint32  masked CRC of these 8 bytes
 *     n bytes the Event
 *     uint32  masked CRC of the Event
 *
 * The CRC is CRC-32C (Castagnoli), masked so that a CRC of what holds CRCs stays a good one: turned right by
 * 15 bits, plus 0xa282ead8. Source: tensorflow/core/lib/io/record_writer.h and
 * tensorflow/core/lib/hash/crc32c.h.
 *
 * A file is called events.out.tfevents.SECONDS.HOST.RUN. A reader takes the files of a folder one after the
 * other, in the order of their names: so SECONDS, the time of its opening, is always more than that of every
 * file that is there. Before the first record comes one with the version of the format. All functions are
 * local.
 */
#ifndef DT_TRAIN_TENSORBOARD_FILE_H
#define DT_TRAIN_TENSORBOARD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <tensorboard.pb-c.h>

#include "base/status.h"

#define DT_TENSORBOARD_PREFIX "events.out.tfevents."

/** Bytes of a record beside its Event. */
#define DT_TENSORBOARD_FRAME_BYTES 16

typedef struct dt_tensorboard_file {
    int descriptor; /**< -1 when closed */
    char *path;
    off_t end; /**< of the last whole record */
} dt_tensorboard_file;

/** The masked CRC of `length` bytes. */
uint32_t dt_tensorboard_crc(const void *bytes, size_t length);

/** Seconds since 1970. */
double dt_tensorboard_now(void);

/**
 * Makes a new file in `folder`, which is made too. `run_id` ends its name. The caller closes it, after
 * failure too.
 */
dt_status dt_tensorboard_file_open(dt_tensorboard_file *file, const char *folder, const char *run_id);

/** Fails with DT_USAGE where a run that lives writes a file in `folder`. */
dt_status dt_tensorboard_file_expect_unused(const char *folder);

/** Appends `event`, whose time becomes now, as one record. What fails leaves no part of it behind, and the
 * next call writes in its place. */
dt_status dt_tensorboard_file_write(dt_tensorboard_file *file, Tensorboard__Event *event);

/** Appends `tensor` as the value of `tag` at `step`, for the plug-in `plugin` of TensorBoard, which finds
 * `content` in the tag's metadata ({0}: none). */
dt_status dt_tensorboard_file_write_tensor(dt_tensorboard_file *file, int64_t step, const char *tag,
                                           const char *plugin, ProtobufCBinaryData content,
                                           Tensorboard__TensorProto *tensor);

/** What another has done to the file, so that nobody can read what is appended to it: "removed" where it has
 * no name any more, or could not be opened, "cut short", or NULL. */
const char *dt_tensorboard_file_lost(const dt_tensorboard_file *file);

/** Makes the file durable and closes it; one that was never opened ({.descriptor = -1}) is fine. */
dt_status dt_tensorboard_file_close(dt_tensorboard_file *file);

#endif
