/**
 * The result of everything that can fail, and the one sentence that goes with a failure.
 *
 * This room holds what every other one needs and none of it knows of training: errors (this file), contracts,
 * log, memory, files, checksums, clocks, random numbers, dtypes, UTF-8. Nothing of dtrain enters; functions
 * and plain types leave.
 *
 * The place that fails calls dt_fail or dt_usage, which records a sentence (what was expected, what was
 * found, where, what to do) and returns the code; every caller above forwards it with DT_TRY. main.c, or
 * dt_agree when several ranks take part, prints the sentence once. The sentence belongs to the calling
 * thread.
 */
#ifndef DT_BASE_STATUS_H
#define DT_BASE_STATUS_H

/** The values are the program's exit codes, but for the last one. */
typedef enum dt_status {
    DT_OK = 0,     /**< done, or stopped by a signal or a deadline */
    DT_FAILED = 1, /**< something went wrong while running */
    DT_USAGE = 2,  /**< the command line or the config is wrong */
    DT_STOPPED = 3 /**< given up on request before it was done: whoever asked for the work makes it DT_OK */
} dt_status;

#define DT_ERROR_BYTES 4096

/** Forwards a failure to the caller. The caller must hold nothing that it would have to free. */
#define DT_TRY(call)                                                                                         \
    do {                                                                                                     \
        dt_status dt_try_status = (call);                                                                    \
        if (dt_try_status != DT_OK)                                                                          \
            return dt_try_status;                                                                            \
    } while (0)

/** Records a sentence (cut at DT_ERROR_BYTES), for the macros below. Local. */
void dt_status_record(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Records a sentence and is DT_FAILED; the arguments are printf's. A macro, so that whoever reads a caller
 * alone, as compilers and static checkers do, knows that it is never DT_OK. Local.
 */
#define dt_fail(...) (dt_status_record(__VA_ARGS__), (dt_status)DT_FAILED)

/** Records a sentence and is DT_USAGE; see dt_fail. Local. */
#define dt_usage(...) (dt_status_record(__VA_ARGS__), (dt_status)DT_USAGE)

/** Records a sentence and is DT_STOPPED; see dt_fail. Local. */
#define dt_stopped(...) (dt_status_record(__VA_ARGS__), (dt_status)DT_STOPPED)

/** The sentence that this thread recorded last; "" when there is none. Valid until the next one. Local. */
const char *dt_error(void);

#endif
