/* One write() per record, at the end of the last whole one. */
#include "train/tensorboard_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <isa-l/crc.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/host.h"
#include "base/minmax.h"

#define CRC_MASK     UINT32_C(0xa282ead8)
#define FILE_VERSION "brain.Event:2"
/* The length's own CRC follows it. */
#define HEAD_BYTES 12

/* ISA-L takes lengths as int. */
#define CRC_PIECE_BYTES (1 << 30)

uint32_t dt_tensorboard_crc(const void *bytes, size_t length) {
    /* It is not written to: the declaration lacks a const. */
    unsigned char *at = (unsigned char *)bytes;
    uint32_t crc = UINT32_MAX;
    while (length > 0) {
        const int piece = length < CRC_PIECE_BYTES ? (int)length : CRC_PIECE_BYTES;
        crc = crc32_iscsi(at, piece, crc);
        at += piece;
        length -= (size_t)piece;
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + CRC_MASK;
}

double dt_tensorboard_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The seconds in the name of the last of the folder's files, or -1. */
static dt_status find_last(const char *folder, int64_t *seconds) {
    char **names;
    size_t count;
    *seconds = -1;
    DT_TRY(dt_file_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], DT_TENSORBOARD_PREFIX, strlen(DT_TENSORBOARD_PREFIX)) == 0)
            *seconds = dt_max(*seconds, (int64_t)strtoll(names[i] + strlen(DT_TENSORBOARD_PREFIX), NULL, 10));
    dt_file_free_names(names, count);
    return DT_OK;
}

static dt_status choose_path(const char *folder, const char *run_id, char **path) {
    char host[DT_HOST_BYTES];
    int64_t last;
    DT_TRY(find_last(folder, &last));
    dt_host_name(host);
    const int64_t seconds = dt_max((int64_t)dt_tensorboard_now(), last + 1);
    if (asprintf(path, "%s/" DT_TENSORBOARD_PREFIX "%010" PRId64 ".%s.%s", folder, seconds, host, run_id) <
        0) {
        *path = NULL;
        return dt_fail("out of memory for a file's name");
    }
    return DT_OK;
}

dt_status dt_tensorboard_file_open(dt_tensorboard_file *file, const char *folder, const char *run_id) {
    *file = (dt_tensorboard_file){.descriptor = -1};
    DT_TRY(dt_file_make_folder(folder));
    DT_TRY(choose_path(folder, run_id, &file->path));
    DT_TRY(dt_file_create(file->path, &file->descriptor));
    /* For dt_tensorboard_file_expect_unused; where there are no locks, that finds none. */
    (void)flock(file->descriptor, LOCK_EX | LOCK_NB);
    return DT_OK;
}

static bool is_locked(const char *folder, const char *name) {
    char *path = dt_file_join(folder, name);
    const int descriptor = path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    const bool locked = descriptor >= 0 && flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return locked;
}

dt_status dt_tensorboard_file_expect_unused(const char *folder) {
    char **names;
    size_t count;
    bool locked = false;
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(dt_file_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        locked = locked || (strncmp(names[i], DT_TENSORBOARD_PREFIX, strlen(DT_TENSORBOARD_PREFIX)) == 0 &&
                            is_locked(folder, names[i]));
    dt_file_free_names(names, count);
    return locked ? dt_usage("%s is in use by another run, which writes its events there under another name; "
                             "remove this link to it, or name another out_dir",
                             folder)
                  : DT_OK;
}

static void put_little_endian(uint8_t *bytes, uint64_t value, int count) {
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static dt_status put_record(dt_tensorboard_file *file, const uint8_t *record, size_t length) {
    if (lseek(file->descriptor, file->end, SEEK_SET) < 0)
        return dt_fail("cannot write to %s: %s", file->path, strerror(errno));
    const dt_status status = dt_file_write(file->descriptor, file->path, record, length);
    if (status == DT_OK)
        file->end += (off_t)length;
    else
        while (ftruncate(file->descriptor, file->end) != 0 && errno == EINTR)
            ;
    return status;
}

static dt_status write_event(dt_tensorboard_file *file, Tensorboard__Event *event) {
    event->wall_time = dt_tensorboard_now();
    const size_t length = tensorboard__event__get_packed_size(event);
    uint8_t *record = malloc(DT_TENSORBOARD_FRAME_BYTES + length);
    if (record == NULL)
        return dt_fail("out of memory for an event of TensorBoard");
    put_little_endian(record, length, 8);
    put_little_endian(record + 8, dt_tensorboard_crc(record, 8), 4);
    tensorboard__event__pack(event, record + HEAD_BYTES);
    put_little_endian(record + HEAD_BYTES + length, dt_tensorboard_crc(record + HEAD_BYTES, length), 4);
    const dt_status status = put_record(file, record, DT_TENSORBOARD_FRAME_BYTES + length);
    free(record);
    return status;
}

static dt_status write_version(dt_tensorboard_file *file) {
    Tensorboard__Event version = TENSORBOARD__EVENT__INIT;
    version.what_case = TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    version.file_version = FILE_VERSION;
    return write_event(file, &version);
}

dt_status dt_tensorboard_file_write(dt_tensorboard_file *file, Tensorboard__Event *event) {
    DT_ASSERT(file->descriptor >= 0);
    if (file->end == 0)
        DT_TRY(write_version(file));
    return write_event(file, event);
}

/* The messages have pointers that are not const, and are only read. */
dt_status dt_tensorboard_file_write_tensor(dt_tensorboard_file *file, int64_t step, const char *tag,
                                           const char *plugin, ProtobufCBinaryData content,
                                           Tensorboard__TensorProto *tensor) {
    Tensorboard__SummaryMetadata__PluginData data = TENSORBOARD__SUMMARY_METADATA__PLUGIN_DATA__INIT;
    Tensorboard__SummaryMetadata metadata = TENSORBOARD__SUMMARY_METADATA__INIT;
    Tensorboard__Summary__Value value = TENSORBOARD__SUMMARY__VALUE__INIT, *values = &value;
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    data.plugin_name = (char *)plugin;
    data.content = content;
    metadata.plugin_data = &data;
    value.tag = (char *)tag;
    value.metadata = &metadata;
    value.value_case = TENSORBOARD__SUMMARY__VALUE__VALUE_TENSOR;
    value.tensor = tensor;
    summary.n_value = 1;
    summary.value = &values;
    event.step = step;
    event.what_case = TENSORBOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return dt_tensorboard_file_write(file, &event);
}

const char *dt_tensorboard_file_lost(const dt_tensorboard_file *file) {
    struct stat info;
    if (file->descriptor < 0)
        return "removed";
    if (fstat(file->descriptor, &info) != 0)
        return NULL;
    return info.st_nlink == 0 ? "removed" : info.st_size < file->end ? "cut short" : NULL;
}

dt_status dt_tensorboard_file_close(dt_tensorboard_file *file) {
    const dt_status status = file->descriptor >= 0 ? dt_file_finish(file->descriptor, file->path) : DT_OK;
    free(file->path);
    *file = (dt_tensorboard_file){.descriptor = -1};
    return status;
}
