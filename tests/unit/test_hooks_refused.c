/* Hooks: the sentence for everything that can be wrong with an entry, and for what a hook does wrong. */
#include "support/hooked.h"

static void refuses_unknown_names(void **state) {
    fixture *f = *state;
    refuse(f, "{\"forward\":[{\"name\":\"activation_stat\"}]}",
           "hooks.forward: there is no built-in hook \"activation_stat\"; the built-in ones are: "
           "activation_stats; "
           "for a plug-in, add its library: {name: activation_stat, library: ./activation_stat.so}");
    refuse(f, "{\"update\":[{\"name\":\"mine\"}]}",
           "hooks.update: there is no built-in hook \"mine\"; the built-in ones are: identity, "
           "gradient_stats, noise_scale; for a "
           "plug-in, add its library: {name: mine, library: ./mine.so}");
    /* A hook of the other list is not one of this list. */
    refuse(f, "{\"update\":[{\"name\":\"activation_stats\"}]}",
           "hooks.update: there is no built-in hook \"activation_stats\"; the built-in ones are: identity, "
           "gradient_stats, noise_scale; for a plug-in, add its library: {name: activation_stats, library: "
           "./activation_stats.so}");
}

static void refuses_libraries_that_are_no_plug_ins(void **state) {
    fixture *f = *state;
    refuse(
        f, "{\"update\":[{\"name\":\"mine\",\"library\":\"./nowhere.so\"}]}",
        "hook mine: cannot load its library: ./nowhere.so: cannot open shared object file: No such file or "
        "directory; give the path of a shared library that exports dt_hook_get");
    refuse(f, "{\"update\":[{\"name\":\"mine\",\"library\":\"libm.so.6\"}]}",
           "hook mine: libm.so.6 does not export dt_hook_get; see include/dtrain/hook.h");
    refuse(f, "{\"update\":[{\"name\":\"mine\",\"library\":\"" PROBE_OF_LATER_VERSION "\"}]}",
           "hook mine: " PROBE_OF_LATER_VERSION
           " was built for version 7 of the hook interface, this dtrain has "
           "version 1; build it again with this dtrain's dtrain/hook.h");
    refuse(f, "{\"update\":[{\"name\":\"mine\",\"library\":3}]}",
           "hook mine: expected \"library\" to be the path of a shared library, found something else");
}

static void refuses_what_a_hook_refuses(void **state) {
    fixture *f = *state;
    refuse(f, "{\"forward\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"refuse\":\"\"}]}",
           "hook p: it refused to start and gave no reason");
    static const char *const wrong[] = {"0", "-1", "2.5", "\"3\"", "true"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"update\":[{\"name\":\"gradient_stats\",\"log_interval\":%s}]}",
                 wrong[i]);
        refuse(
            f, text,
            "hook gradient_stats: expected log_interval to be a number of steps, 1 or more, found something else");
        snprintf(text, sizeof text, "{\"forward\":[{\"name\":\"activation_stats\",\"log_interval\":%s}]}",
                 wrong[i]);
        refuse(
            f, text,
            "hook activation_stats: expected log_interval to be a number of steps, 1 or more, found something else");
    }
}

/* A hook in the list where none of its functions is ever called would do nothing, and nobody would know. */
static void refuses_a_hook_in_the_wrong_list(void **state) {
    fixture *f = *state;
    refuse(f, "{\"forward\":[{\"name\":\"clip_tensors\",\"library\":\"" EXAMPLE "\",\"limit\":0.5}]}",
           "hook clip_tensors: " EXAMPLE
           " has no function for the list forward, so it would never be called; name it "
           "under update");
}

static void refuses_a_negative_number_of_values(void **state) {
    fixture *f = *state;
    refuse(f, "{\"forward\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"micro_batch_values\":-2}]}",
           "hook p: expected it to keep 0 or more doubles per micro-batch, but it asks for -2");
}

/* Shapes that no config lets through (its own check comes first) are refused all the same. */
static void refuses_what_is_no_map_of_lists(void **state) {
    fixture *f = *state;
    dt_hooks_free(f->hooks);
    f->hooks = NULL;
    assert_int_equal(dt_hooks_create(&f->hooks, "{\"forward\":", &f->layout, HOOKED_BATCH_SIZE), DT_USAGE);
    assert_ptr_equal(strstr(dt_error(), "hooks: expected a map, found \"{\"forward\":\": "), dt_error());
    refuse(
        f, "{\"update\":[3]}",
        "hooks.update: there is no built-in hook \"\"; the built-in ones are: identity, gradient_stats, noise_scale; "
        "for a "
        "plug-in, add its library: {name: , library: ./.so}");
}

static void a_failing_function_is_named(void **state) {
    fixture *f = *state;
    double value[1] = {0.0};
    make_hooks(f, "{\"forward\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"fail\":\"collect\"}]}");
    assert_int_equal(dt_hooks_collect(f->hooks, 1, value, 1, 0), DT_FAILED);
    assert_string_equal(dt_error(), "hook p failed in its collect function");
    make_hooks(f, "{\"update\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"fail\":\"update\"}]}");
    assert_int_equal(dt_hooks_update(f->hooks, 1, f->gradient), DT_FAILED);
    assert_string_equal(dt_error(), "hook p failed in its update function");
    static const char *const faults[] = {"key", "no key"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"update\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"fail\":\"%s\"}]}", faults[i]);
        make_hooks(f, text);
        assert_int_equal(dt_hooks_update(f->hooks, 1, f->gradient), DT_FAILED);
        assert_string_equal(dt_error(),
                            "hook p: a value that its update function reported cannot be kept; "
                            "expected a key in UTF-8 that is none of the line's own (step, hook, event, "
                            "loss, val_loss, save_ms, sample), and memory for it");
    }
}

/* Of a line that says another step than its own, or has a loss, a resume would think that it is what it looks
 * like. */
static void keys_of_the_line_itself_are_refused(void **state) {
    static const char *const keys[] = {"step", "hook", "event", "loss", "val_loss", "save_ms", "sample"};
    fixture *f = *state;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"update\":[{\"name\":\"p\",\"library\":\"" PROBE "\",\"fail\":\"key\",\"key\":\"%s\"}]}",
                 keys[k]);
        make_hooks(f, text);
        assert_int_equal(dt_hooks_update(f->hooks, 7, f->gradient), DT_FAILED);
        json_t *reports = dt_hooks_take_reports(f->hooks), *line = json_array_get(reports, 0);
        assert_int_equal(json_integer_value(json_object_get(line, "step")), 7);
        assert_string_equal(json_string_value(json_object_get(line, "hook")), "p");
        json_decref(reports);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(refuses_unknown_names),
                                       TEST(refuses_libraries_that_are_no_plug_ins),
                                       TEST(refuses_what_a_hook_refuses),
                                       TEST(refuses_a_hook_in_the_wrong_list),
                                       TEST(refuses_a_negative_number_of_values),
                                       TEST(refuses_what_is_no_map_of_lists),
                                       TEST(a_failing_function_is_named),
                                       TEST(keys_of_the_line_itself_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
