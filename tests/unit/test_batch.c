/* Streams and shards: who reads what, in which order, and that the order is a permutation that ranks cannot
 * change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/philox.h"
#include "data/batch.h"
#include "support/corpus_folder.h"

/* Streams over just enough text for K windows each. */
static dt_streams streams_of(int64_t B, int64_t K, uint64_t seed, bool shuffle) {
    dt_streams streams;
    int64_t T = 4;
    assert_int_equal(dt_streams_cut(&streams, 2 * (B * K * T + 1), 0.5, B, T, seed, shuffle), DT_OK);
    assert_int_equal(streams.stream_windows, K);
    return streams;
}

/* Identity: the split is Python's int(n * r). The expected values were printed by Python 3.11. */
static void test_train_tokens_are_pythons(void **state) {
    (void)state;
    assert_int_equal(dt_streams_train_tokens(0, 0.95), 0);
    assert_int_equal(dt_streams_train_tokens(1, 0.95), 0);
    assert_int_equal(dt_streams_train_tokens(20, 0.95), 19);
    assert_int_equal(dt_streams_train_tokens(100, 0.29), 28);
    assert_int_equal(dt_streams_train_tokens(100, 0.57), 56);
    assert_int_equal(dt_streams_train_tokens(1115394, 0.9), 1003854);
    assert_int_equal(dt_streams_train_tokens(9876543210123, 0.95), 9382716049616);
}

/* Identity: W = windows of T + 1 tokens with stride T in the train split, K = W / B, the rest is unused. */
static void test_plan_counts(void **state) {
    (void)state;
    dt_streams streams;
    assert_int_equal(dt_streams_cut(&streams, 2000, 0.5, 3, 10, 7, true), DT_OK);
    assert_int_equal(streams.B, 3);
    assert_int_equal(streams.T, 10);
    assert_int_equal(streams.windows,
                     99); /* window 98 ends with token 990, window 99 would with token 1000 */
    assert_int_equal(streams.stream_windows, 33);
    assert_int_equal(streams.unused_windows, 0);
    assert_int_equal(streams.seed, 7);
    assert_true(streams.shuffle);
    assert_int_equal(dt_streams_cut(&streams, 2002, 0.5, 3, 10, 7, false), DT_OK);
    assert_int_equal(streams.windows, 100);
    assert_int_equal(streams.stream_windows, 33);
    assert_int_equal(streams.unused_windows, 1);
    assert_int_equal(streams.unused_tokens, 10); /* of 1000 targets 990 are in used windows */
    assert_false(streams.shuffle);
}

/* Identity: the sentence names what was found and needed, and a corpus of what it asks for is the smallest
 * that works. */
static void test_too_small(void **state) {
    (void)state;
    dt_streams streams;
    assert_int_equal(dt_streams_cut(&streams, 4000, 0.95, 16, 256, 1, true), DT_USAGE);
    assert_string_equal(
        dt_error(),
        "the corpus is too small: found 4000 tokens, 3800 of them in the train split (train_ratio 0.95); "
        "expected at least 4313 tokens, so that the train split has one window of max_seq_len 256 for each "
        "sequence of batch_size 16; use a smaller batch_size or max_seq_len, a larger train_ratio or a longer text");
    assert_int_equal(dt_streams_cut(&streams, 4312, 0.95, 16, 256, 1, true), DT_USAGE);
    assert_int_equal(dt_streams_cut(&streams, 4313, 0.95, 16, 256, 1, true), DT_OK);
    assert_int_equal(streams.stream_windows, 1);
    assert_int_equal(dt_streams_cut(&streams, 0, 0.5, 1, 1, 1, true), DT_USAGE);
    assert_non_null(strstr(dt_error(), "expected at least 4 tokens"));
    assert_int_equal(dt_streams_cut(&streams, 1000, 0.95, INT64_MAX / 2, 256, 1, true), DT_USAGE);
    assert_int_equal(dt_streams_cut(&streams, 1000, 1e-300, 16, 256, 1, true), DT_USAGE);
}

/* Identity: over each epoch every window of every stream is drawn exactly once, by its own slot. */
static void test_epoch_is_every_window_once(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 3, 4, 5, 15, 16, 17, 97, 256, 257, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int64_t B = 3, K = lengths[i];
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            dt_streams streams = streams_of(B, K, 11, shuffle != 0);
            for (int64_t epoch = 0; epoch < 3; epoch++) {
                uint8_t *seen = calloc((size_t)(B * K), 1);
                assert_non_null(seen);
                for (int64_t step = epoch * K + 1; step <= (epoch + 1) * K; step++)
                    for (int64_t slot = 0; slot < B; slot++) {
                        int64_t window = dt_streams_window(&streams, step, slot);
                        assert_in_range((uintmax_t)window, (uintmax_t)(slot * K),
                                        (uintmax_t)(slot * K + K - 1));
                        assert_int_equal(seen[window]++, 0);
                    }
                free(seen);
            }
        }
    }
}

/* Identity: spread windows make streams of K and K + 1, in the order of the text, and each stream draws each
 * of its windows once in every epoch of its own, so none of the W windows is unused. */
static void test_spread_windows_are_all_used(void **state) {
    (void)state;
    static const struct { int64_t B, W; } cases[] = {{3, 11}, {5, 9}, {16, 890}, {4, 8}, {1, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int shuffle = 0; shuffle < 2; shuffle++) {
            dt_streams streams;
            const int64_t B = cases[i].B, W = cases[i].W;
            assert_int_equal(dt_streams_cut(&streams, 2 * (4 * W + 1), 0.5, B, 4, 11, shuffle != 0), DT_OK);
            assert_int_equal(streams.unused_windows, W % B);
            dt_streams_spread(&streams);
            assert_int_equal(streams.unused_windows, 0);
            assert_int_equal(streams.unused_tokens, 0);
            int64_t first = 0;
            for (int64_t slot = 0; slot < B; slot++) {
                const int64_t n = dt_streams_length(&streams, slot);
                assert_int_equal(n, W / B + (slot < W % B));
                for (int64_t epoch = 0; epoch < 3; epoch++) {
                    uint8_t seen[1000] = {0};
                    for (int64_t step = epoch * n + 1; step <= (epoch + 1) * n; step++) {
                        const int64_t window = dt_streams_window(&streams, step, slot);
                        assert_in_range((uintmax_t)window, (uintmax_t)first, (uintmax_t)(first + n - 1));
                        assert_int_equal(seen[window]++, 0);
                    }
                }
                assert_int_equal(dt_streams_tokens(&streams, slot, slot + 1), n * 4 + 1);
                first += n;
            }
            assert_int_equal(first, W);
        }
}

/* The sentence's numbers, worked out by hand; the batch size that it offers does leave less than 2 %. */
static void test_unused_windows_are_warned_of(void **state) {
    (void)state;
    dt_streams streams;
    char text[512];
    assert_int_equal(dt_streams_cut(&streams, 30000, 0.95, 300, 32, 1, true), DT_OK); /* W 890, K 2 */
    assert_true(dt_streams_warning(&streams, text, sizeof text));
    assert_string_equal(
        text, "every epoch leaves out 32.6 % of the train split, its last 9299 tokens, since batch_size "
              "300 leaves over 290 of 890 windows; leftover_windows: spread uses all windows, and "
              "batch_size 296 all but 2");
    assert_int_equal(dt_streams_cut(&streams, 30000, 0.95, 296, 32, 1, true), DT_OK);
    assert_false(dt_streams_warning(&streams, text, sizeof text));
    assert_int_equal(dt_streams_cut(&streams, 30000, 0.95, 300, 32, 1, true), DT_OK);
    dt_streams_spread(&streams);
    assert_false(dt_streams_warning(&streams, text, sizeof text));
    /* One window of 1000 and nearly another. */
    assert_int_equal(dt_streams_cut(&streams, 4000, 0.5, 1, 1000, 1, true), DT_OK);
    assert_true(dt_streams_warning(&streams, text, sizeof text));
    assert_string_equal(
        text, "every epoch leaves out 50.0 % of the train split, its last 999 tokens, mostly since they do "
              "not fill a window of max_seq_len 1000; a smaller max_seq_len leaves fewer over");
    /* The largest batch there is room for is no reason to look for long. */
    streams =
        (dt_streams){.B = (int64_t)1 << 29, .T = 1, .windows = ((int64_t)1 << 30) - 1, .stream_windows = 1};
    streams.unused_tokens = streams.unused_windows = streams.windows - streams.B;
    assert_true(dt_streams_warning(&streams, text, sizeof text));
}

/* Identity: without shuffle a stream is read from front to back, epoch after epoch. */
static void test_without_shuffle(void **state) {
    (void)state;
    dt_streams streams = streams_of(5, 7, 3, false);
    for (int64_t step = 1; step <= 21; step++)
        for (int64_t slot = 0; slot < 5; slot++)
            assert_int_equal(dt_streams_window(&streams, step, slot), slot * 7 + (step - 1) % 7);
}

/* Whether the orders of (slot, epoch) in two streams' plans are the same. */
static bool same_order(const dt_streams *left, int64_t left_slot, int64_t left_epoch, const dt_streams *right,
                       int64_t right_slot, int64_t right_epoch) {
    int64_t K = left->stream_windows;
    for (int64_t position = 1; position <= K; position++)
        if (dt_streams_window(left, left_epoch * K + position, left_slot) - left_slot * K !=
            dt_streams_window(right, right_epoch * K + position, right_slot) - right_slot * K)
            return false;
    return true;
}

/* Identity: epoch, slot and either half of the seed each change the order; asking again does not. */
static void test_what_changes_the_order(void **state) {
    (void)state;
    dt_streams streams = streams_of(4, 50, 11, true), again = streams_of(4, 50, 11, true);
    dt_streams low = streams_of(4, 50, 12, true), high = streams_of(4, 50, 11 + ((uint64_t)1 << 32), true);
    assert_true(same_order(&streams, 2, 3, &again, 2, 3));
    assert_false(same_order(&streams, 2, 3, &streams, 2, 4));
    assert_false(same_order(&streams, 2, 3, &streams, 1, 3));
    assert_false(same_order(&streams, 2, 3, &low, 2, 3));
    assert_false(same_order(&streams, 2, 3, &high, 2, 3));
}

/* Identity: all 3! orders of three windows come up, each about as often (the count of each is within 5
 * sigma). */
static void test_orders_are_spread(void **state) {
    (void)state;
    dt_streams streams = streams_of(1, 3, 5, true);
    int counts[27] = {0};
    for (int64_t epoch = 0; epoch < 6000; epoch++) {
        int64_t first = dt_streams_window(&streams, 3 * epoch + 1, 0),
                second = dt_streams_window(&streams, 3 * epoch + 2, 0);
        counts[first * 9 + second * 3 + dt_streams_window(&streams, 3 * epoch + 3, 0)]++;
    }
    int orders = 0;
    for (int i = 0; i < 27; i++)
        if (counts[i] != 0) {
            orders++;
            assert_in_range(counts[i], 856, 1144); /* 1000 +- 5 sqrt(6000 * 1/6 * 5/6) */
        }
    assert_int_equal(orders, 6);
}

/*
 * Identity: the order is part of every result, so it stays as it is. The windows were computed by a separate
 * program in Python from the words of the header and of permute's comment.
 */
static void test_order_is_frozen(void **state) {
    (void)state;
    static const int64_t expected[2][10] = {{3, 8, 4, 2, 5, 1, 6, 9, 7, 0},
                                            {19, 12, 13, 17, 15, 11, 10, 18, 16, 14}};
    dt_streams streams = streams_of(2, 10, 42, true);
    for (int64_t slot = 0; slot < 2; slot++)
        for (int64_t step = 1; step <= 10; step++)
            assert_int_equal(dt_streams_window(&streams, step, slot), expected[slot][step - 1]);
}

/* Identity: a stream of 2^40 windows stays in its range, and different places give different windows. */
static void test_huge_stream(void **state) {
    (void)state;
    enum { POSITIONS = 1000 };
    int64_t K = (int64_t)1 << 40, seen[POSITIONS];
    dt_streams streams = {.B = 2, .T = 1, .windows = 2 * K, .stream_windows = K, .seed = 9, .shuffle = true};
    for (int i = 0; i < POSITIONS; i++) {
        seen[i] = dt_streams_window(&streams, K - i, 1);
        assert_true(seen[i] >= K && seen[i] < 2 * K);
        for (int j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
    }
}

/* Writes a text of `length` letters, among them some of two bytes, and opens it. */
static void open_letters(dt_corpus *corpus, const corpus_folder *folder, int64_t length) {
    uint8_t *text = malloc((size_t)(2 * length));
    assert_non_null(text);
    size_t bytes = 0;
    for (int64_t i = 0; i < length; i++) {
        uint32_t word = dt_philox((dt_philox_key){1, 2}, (uint32_t)i, 0, 0, 0).w0;
        if (word % 17 == 0)
            text[bytes++] = 0xC3;
        text[bytes++] = (uint8_t)(word % 17 == 0 ? 0xA9 : 'a' + word % 26);
    }
    corpus_folder_write(folder, text, bytes);
    free(text);
    corpus_folder_open(corpus, folder->file, 1);
    assert_int_equal(corpus->total.tokens, length);
}

/* The shards of `size` ranks hold for every step and slot the tokens that stand in the whole file. */
static void check_shards(dt_corpus *corpus, const dt_streams *streams, const uint8_t *whole, int64_t size) {
    const int64_t B = streams->B, T = streams->T;
    int32_t *ids = malloc((size_t)(T + 1) * sizeof *ids);
    assert_non_null(ids);
    for (int64_t rank = 0; rank < size; rank++) {
        dt_shard shard;
        int64_t first_slot = B * rank / size, end_slot = B * (rank + 1) / size, windows = 0;
        for (int64_t slot = first_slot; slot < end_slot; slot++)
            windows += dt_streams_length(streams, slot);
        assert_int_equal(dt_shard_load(&shard, corpus, streams, first_slot, end_slot), DT_OK);
        assert_int_equal(shard.tokens_count, windows * T + 1);
        for (int64_t step = 1; step <= 2 * streams->stream_windows + 2; step++)
            for (int64_t slot = first_slot; slot < end_slot; slot++) {
                int64_t window = dt_streams_window(streams, step, slot);
                dt_shard_window(&shard, streams, window, ids);
                for (int64_t t = 0; t <= T; t++)
                    assert_int_equal(ids[t], whole[window * T + t]);
            }
        dt_shard_free(&shard);
    }
    free(ids);
}

/* Identity: with 1, 2, 3 and 5 ranks, also where streams differ in length. */
static void test_shards_hold_the_files_windows(void **state) {
    dt_corpus corpus;
    dt_streams streams;
    int64_t length = 5000, B = 7, T = 12; /* 374 windows: 7 streams of 53, and 3 more */
    open_letters(&corpus, *state, length);
    uint8_t *whole = malloc((size_t)length);
    assert_non_null(whole);
    assert_int_equal(dt_corpus_read(&corpus, 0, length, whole), DT_OK);
    assert_int_equal(dt_streams_cut(&streams, length, 0.9, B, T, 3, true), DT_OK);
    assert_int_equal(streams.unused_windows, 3);
    static const int64_t sizes[] = {1, 2, 3, 5};
    for (size_t i = 0; i < 4; i++)
        check_shards(&corpus, &streams, whole, sizes[i]);
    dt_streams_spread(&streams);
    for (size_t i = 0; i < 4; i++)
        check_shards(&corpus, &streams, whole, sizes[i]);
    free(whole);
    dt_corpus_close(&corpus);
}

/* Identity: slots that are not in the batch are refused, a corpus that lost its text is too, and nothing is
 * left held. */
static void test_shard_failures(void **state) {
    dt_corpus corpus;
    dt_streams streams;
    dt_shard shard;
    const corpus_folder *folder = *state;
    open_letters(&corpus, folder, 1000);
    assert_int_equal(dt_streams_cut(&streams, 1000, 0.9, 4, 8, 3, true), DT_OK);
    assert_int_equal(dt_shard_load(&shard, &corpus, &streams, 2, 5), DT_FAILED);
    assert_non_null(strstr(dt_error(), "expected slots within 0..4, found [2, 5)"));
    assert_null(shard.tokens);
    corpus_folder_write(folder, "short", 5);
    assert_int_equal(dt_shard_load(&shard, &corpus, &streams, 0, 4), DT_FAILED);
    assert_null(shard.tokens);
    dt_shard_free(&shard);
    dt_corpus_close(&corpus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_tokens_are_pythons),
        cmocka_unit_test(test_plan_counts),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_epoch_is_every_window_once),
        cmocka_unit_test(test_spread_windows_are_all_used),
        cmocka_unit_test(test_unused_windows_are_warned_of),
        cmocka_unit_test(test_without_shuffle),
        cmocka_unit_test(test_what_changes_the_order),
        cmocka_unit_test(test_orders_are_spread),
        cmocka_unit_test(test_order_is_frozen),
        cmocka_unit_test(test_huge_stream),
        cmocka_unit_test_setup_teardown(test_shards_hold_the_files_windows, corpus_folder_make,
                                        corpus_folder_remove),
        cmocka_unit_test_setup_teardown(test_shard_failures, corpus_folder_make, corpus_folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
