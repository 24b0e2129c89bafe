/* Event files of TensorBoard, read back by protobuf-c: records and their CRCs, what becomes of each kind of
 * line of metrics.jsonl, the config, and a disk without room. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/event_file.h"
#include "train/tensorboard.h"
#include "train/tensorboard_file.h"

static char *folder;
static dt_config config;

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    return dt_config_init(&config) == DT_OK && dt_config_set(&config, "out_dir", folder, "test") == DT_OK ? 0
                                                                                                          : 1;
}

static int tear_down(void **state) {
    (void)state;
    dt_config_free(&config);
    scratch_remove(folder);
    return 0;
}

static dt_tensorboard *open_at(int64_t start_step) {
    dt_tensorboard *tensorboard;
    assert_done(dt_tensorboard_open(&tensorboard, &config, "0123456789abcdef", start_step));
    return tensorboard;
}

static void take(dt_tensorboard *tensorboard, const char *line) {
    dt_tensorboard_take(tensorboard, line, strlen(line));
}

/* The `number`th of `count` files. */
static event_file read_file(size_t number, size_t expected_count) {
    size_t count;
    char *events = dt_file_join(folder, DT_TENSORBOARD_NAME);
    char **paths = event_file_paths(events, &count);
    assert_int_equal(count, expected_count);
    event_file file = event_file_read(paths[number]);
    dt_file_free_names(paths, count);
    free(events);
    return file;
}

/* Vectors: RFC 3720, appendix B.4, masked as TensorFlow's crc32c.h says. */
static void the_crc_is_castagnoli(void **state) {
    (void)state;
    static const uint32_t crcs[] = {0x8a9136aa, 0x62a8ab43, 0x46dd794e};
    uint8_t bytes[3][32];
    memset(bytes[0], 0, 32);
    memset(bytes[1], 0xff, 32);
    for (int i = 0; i < 32; i++)
        bytes[2][i] = (uint8_t)i;
    for (int i = 0; i < 3; i++)
        assert_int_equal(dt_tensorboard_crc(bytes[i], 32),
                         (uint32_t)((crcs[i] >> 15 | crcs[i] << 17) + UINT32_C(0xa282ead8)));
    assert_int_equal(dt_tensorboard_crc("123456789", 9), masked_crc((const uint8_t *)"123456789", 9));
}

/* Every file opens with its version, the START of its first step, and the run's hyperparameters. */
static void expect_start(const event_file *file, int64_t first_step) {
    assert_true(file->count >= 3);
    assert_string_equal(file->events[0]->file_version, "brain.Event:2");
    assert_int_equal(file->events[1]->what_case, TENSORBOARD__EVENT__WHAT_SESSION_LOG);
    assert_int_equal(file->events[1]->session_log->status, TENSORBOARD__SESSION_LOG__SESSION_STATUS__START);
    assert_int_equal(file->events[1]->step, first_step);
    assert_non_null(event_value(file->events[2], "_hparams_/session_start_info"));
    for (int i = 1; i < file->count; i++)
        assert_true(file->events[i]->wall_time >= file->events[i - 1]->wall_time);
}

static void expect_scalar(const Tensorboard__Event *event, int64_t step, const char *tag, float number) {
    const Tensorboard__Summary__Value *value = event_value(event, tag);
    if (value == NULL)
        fail_msg("expected the tag %s, found none", tag);
    assert_int_equal(event->step, step);
    assert_int_equal(value->value_case, TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE);
    if (isnan(number) ? !isnan(value->simple_value) : value->simple_value != number)
        fail_msg("expected %.9g of %s, found %.9g", (double)number, tag, (double)value->simple_value);
}

/* Each number of a line with a step, in one event; lines without a step, and torn ones, are none. */
static void lines_become_scalars(void **state) {
    (void)state;
    dt_tensorboard *t = open_at(0);
    take(t, "{\"event\":\"run\",\"seed\":7,\"ranks\":3}\n");
    take(
        t,
        "{\"step\":1,\"loss\":4.53063659,\"lr\":0.0003,\"grad_norm\":null,\"step_ms\":22.5,\"tokens_per_s\":45586.4889}\n");
    take(t, "{\"step\":2,\"val_loss\":2.89094275,\"val_bits_per_byte\":4.2156162}\n");
    take(t, "{\"step\":2,\"hook\":\"gradient_stats\",\"wte.weight\":0.125}\n");
    take(t, "{\"event\":\"loss_spike\",\"step\":2,\"mean\":1,\"std\":0.5,\"z\":9.25}\n");
    take(t, "{\"step\":3,\"loss\":1");
    take(t, "{\"event\":\"output_lost\",\"step\":3,\"stream\":\"standard output\",\"cause\":\"full\"}\n");
    dt_tensorboard_free(t);
    event_file file = read_file(0, 1);
    expect_start(&file, 1);
    assert_int_equal(file.count, 7);
    Tensorboard__Event *const *e = file.events + 3;
    assert_int_equal(e[0]->summary->n_value, 5);
    expect_scalar(e[0], 1, "loss/train", 4.53063659f);
    expect_scalar(e[0], 1, "run/lr", 0.0003f);
    expect_scalar(e[0], 1, "run/grad_norm", NAN);
    expect_scalar(e[0], 1, "time/step_ms", 22.5f);
    expect_scalar(e[0], 1, "run/tokens_per_s", 45586.4889f);
    expect_scalar(e[1], 2, "loss/validation", 2.89094275f);
    expect_scalar(e[1], 2, "loss/validation_bits_per_byte", 4.2156162f);
    expect_scalar(e[2], 2, "gradient_stats/wte.weight", 0.125f);
    expect_scalar(e[3], 2, "loss_spike/z", 9.25f);
    assert_int_equal(e[3]->summary->n_value, 3);
    event_file_free(&file);
}

/* A text that Markdown leaves as it is. */
static void samples_become_texts(void **state) {
    (void)state;
    const char *expected = "    Once *upon*\n    \n    a time";
    dt_tensorboard *t = open_at(0);
    take(t, "{\"step\":5,\"sample\":\"Once *upon*\\n\\na time\"}\n");
    dt_tensorboard_free(t);
    event_file file = read_file(0, 1);
    assert_int_equal(file.count, 4);
    assert_int_equal(file.events[3]->step, 5);
    const Tensorboard__Summary__Value *value = event_value(file.events[3], "sample");
    assert_non_null(value);
    assert_string_equal(value->metadata->plugin_data->plugin_name, "text");
    assert_int_equal(value->tensor->dtype, TENSORBOARD__DATA_TYPE__DT_STRING);
    assert_int_equal(value->tensor->tensor_shape->n_dim, 0);
    assert_int_equal(value->tensor->n_string_val, 1);
    assert_int_equal(value->tensor->string_val[0].len, strlen(expected));
    assert_memory_equal(value->tensor->string_val[0].data, expected, strlen(expected));
    event_file_free(&file);
}

/* What the HParams page reads of a tag's metadata; the caller frees it. */
static Tensorboard__HParamsPluginData *read_hparams(const Tensorboard__Event *event, const char *tag) {
    const Tensorboard__Summary__Value *value = event_value(event, tag);
    assert_non_null(value);
    const Tensorboard__SummaryMetadata__PluginData *data = value->metadata->plugin_data;
    assert_string_equal(data->plugin_name, "hparams");
    assert_int_equal(value->tensor->n_float_val, 1);
    Tensorboard__HParamsPluginData *content =
        tensorboard__hparams_plugin_data__unpack(NULL, data->content.len, data->content.data);
    assert_non_null(content);
    return content;
}

static const Tensorboard__Value *find_hparam(const Tensorboard__SessionStartInfo *info, const char *key) {
    for (size_t i = 0; i < info->n_hparams; i++)
        if (strcmp(info->hparams[i]->key, key) == 0)
            return info->hparams[i]->value;
    fail_msg("expected the option %s among the hyperparameters, found none", key);
    return NULL;
}

/* Every option under its name, with its value as the config has it. */
static void the_config_becomes_hyperparameters(void **state) {
    (void)state;
    assert_done(dt_config_set(&config, "learning_rate", "0.125", "test"));
    assert_done(dt_config_set(&config, "hooks", "{update: [{name: gradient_stats}]}", "test"));
    json_t *options = dt_config_to_json(&config);
    dt_tensorboard *t = open_at(0);
    take(t, "{\"step\":1,\"loss\":1}\n");
    dt_tensorboard_finish(t);
    dt_tensorboard_free(t);
    event_file file = read_file(0, 1);
    assert_int_equal(file.count, 5);
    Tensorboard__HParamsPluginData *start = read_hparams(file.events[2], "_hparams_/session_start_info"),
                                   *end = read_hparams(file.events[4], "_hparams_/session_end_info");
    const Tensorboard__SessionStartInfo *info = start->session_start_info;
    assert_int_equal(start->data_case, TENSORBOARD__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO);
    assert_int_equal(info->n_hparams, json_object_size(options));
    assert_true(find_hparam(info, "learning_rate")->number_value == 0.125);
    assert_true(find_hparam(info, "n_layers")->number_value == 4);
    assert_true(find_hparam(info, "shuffle")->bool_value);
    assert_string_equal(find_hparam(info, "lr_schedule")->string_value, "constant");
    assert_int_equal(find_hparam(info, "resume")->kind_case, TENSORBOARD__VALUE__KIND_NULL_VALUE);
    assert_string_equal(find_hparam(info, "hooks")->string_value,
                        "{\"update\":[{\"name\":\"gradient_stats\"}]}");
    assert_int_equal(end->session_end_info->status, TENSORBOARD__SESSION_END_INFO__STATUS__STATUS_SUCCESS);
    tensorboard__hparams_plugin_data__free_unpacked(start, NULL);
    tensorboard__hparams_plugin_data__free_unpacked(end, NULL);
    json_decref(options);
    event_file_free(&file);
}

/* A run that goes on has a file of its own, which comes after those before it, also within one second. */
static void a_run_that_goes_on_starts_at_its_step(void **state) {
    (void)state;
    for (int64_t i = 0; i < 3; i++) {
        dt_tensorboard *t = open_at(10 * i);
        take(t, i == 0 ? "{\"step\":1,\"loss\":1}\n" : "{\"step\":30,\"loss\":2}\n");
        dt_tensorboard_free(t);
    }
    for (size_t i = 0; i < 3; i++) {
        event_file file = read_file(i, 3);
        expect_start(&file, 10 * (int64_t)i + 1);
        expect_scalar(file.events[3], i == 0 ? 1 : 30, "loss/train", i == 0 ? 1.0f : 2.0f);
        event_file_free(&file);
    }
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Takes losses of steps first..last. */
static void take_steps(dt_tensorboard *tensorboard, int first, int last) {
    char line[64];
    for (int step = first; step <= last; step++) {
        snprintf(line, sizeof line, "{\"step\":%d,\"loss\":%d}\n", step, step);
        take(tensorboard, line);
    }
}

/* What finds no room is missing, and all that is there is whole; what begins a file waits for room as well.
 */
static void a_full_disk_costs_events_alone(void **state) {
    (void)state;
    char captured[4096];
    int ends[2];
    const int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    dt_tensorboard *t = open_at(0);
    limit_files(20);
    take_steps(t, 1, 9);
    limit_files(0);
    take_steps(t, 10, 12);
    dt_tensorboard_free(t);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    close(ends[1]);
    const ssize_t length = read(ends[0], captured, sizeof captured - 1);
    assert_true(length > 0);
    captured[length] = 0;
    close(ends[0]);
    const char *warning = strstr(captured, "dtrain: warning: ");
    assert_non_null(warning);
    assert_non_null(strstr(warning, strerror(EFBIG)));
    assert_non_null(strstr(warning, "free some space"));
    assert_null(strstr(warning + 1, "dtrain: warning: "));
    event_file file = read_file(0, 1);
    expect_start(&file, 1);
    assert_int_equal(file.count, 6);
    for (int i = 0; i < 3; i++)
        expect_scalar(file.events[3 + i], 10 + i, "loss/train", (float)(10 + i));
    event_file_free(&file);
}

/* A file that is removed, with its folder, is followed by another. */
static void a_removed_file_is_followed_by_another(void **state) {
    (void)state;
    char *events = dt_file_join(folder, DT_TENSORBOARD_NAME);
    dt_tensorboard *t = open_at(0);
    take_steps(t, 1, 2);
    assert_done(dt_file_remove_tree(events));
    scratch_put(events, "x", 1); /* in the way: 3 finds no place */
    take_steps(t, 3, 3);
    assert_int_equal(unlink(events), 0);
    take_steps(t, 4, 5);
    dt_tensorboard_free(t);
    event_file file = read_file(0, 1);
    expect_start(&file, 1);
    assert_int_equal(file.count, 5);
    expect_scalar(file.events[3], 4, "loss/train", 4.0f);
    event_file_free(&file);
    free(events);
}

/* A rotation of logs may cut the file and leave it: records behind a hole could not be read. */
static void a_cut_file_is_followed_by_another(void **state) {
    (void)state;
    char **names;
    size_t count;
    char *events = dt_file_join(folder, DT_TENSORBOARD_NAME);
    dt_tensorboard *t = open_at(0);
    take_steps(t, 1, 2);
    assert_done(dt_file_list(events, &names, &count));
    assert_int_equal(count, 1);
    char *cut = dt_file_join(events, names[0]);
    assert_int_equal(truncate(cut, 0), 0);
    take_steps(t, 3, 4);
    dt_tensorboard_free(t);
    event_file file = read_file(1, 2);
    expect_start(&file, 1);
    assert_int_equal(file.count, 5);
    expect_scalar(file.events[3], 3, "loss/train", 3.0f);
    event_file_free(&file);
    dt_file_free_names(names, count);
    free(cut);
    free(events);
}

/* Before step 1 a place that cannot be is refused. */
static void a_file_in_the_way_is_refused(void **state) {
    (void)state;
    char expected[512];
    dt_tensorboard *t;
    char *path = dt_file_join(folder, DT_TENSORBOARD_NAME);
    scratch_put(path, "x", 1);
    assert_int_equal(dt_tensorboard_open(&t, &config, "0", 0), DT_USAGE);
    snprintf(expected, sizeof expected,
             "tensorboard: cannot make folder %s: %s; move away what stands there, or set "
             "tensorboard: false",
             path, "it, or a folder above it, is a file");
    assert_string_equal(dt_error(), expected);
    dt_tensorboard_free(t);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_crc_is_castagnoli),
        cmocka_unit_test_setup_teardown(lines_become_scalars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(samples_become_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_config_becomes_hyperparameters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_goes_on_starts_at_its_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_costs_events_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removed_file_is_followed_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_file_is_followed_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_in_the_way_is_refused, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
