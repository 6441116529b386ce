#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/file.h"
#include "train/pool.h"

static int enter_scratch(void **state)
{
    static char folder[64];
    strcpy(folder, "test_pool-XXXXXX");
    *state = mkdtemp(folder);
    return *state == NULL || chdir(folder) != 0;
}

static int leave_scratch(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return chdir("..") != 0 || system(command) != 0;
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(icl_file_write_atomic(path, text, strlen(text)), ICL_OK);
}

static icl_pool *open_well(const icl_pool_options *options)
{
    icl_pool *pool = NULL;
    if (icl_pool_open(&pool, options) != ICL_OK)
        fail_msg("%s: %s", options->path, icl_error_message());
    return pool;
}

static size_t place_of(const icl_pool *pool, const char *text)
{
    size_t i = 0;
    while (i < pool->count && strcmp(pool->texts[i], text) != 0) i++;
    return i;
}

static void assert_label(const icl_pool *pool, const char *text, const char *label)
{
    const size_t place = place_of(pool, text);
    if (place == pool->count) fail_msg("no text \"%s\"", text);
    assert_string_equal(pool->label_names[pool->labels[place]], label);
}

static void assert_refused(const icl_pool_options *options, icl_status status, const char *sentence)
{
    icl_pool *pool = NULL;
    assert_int_equal(icl_pool_open(&pool, options), status);
    assert_string_equal(icl_error_message(), sentence);
    assert_null(pool);
}

static const char rows[] =
    "{\"text\": \"play  a\\tsong\", \"label\": \"play_music\", \"lang\": 1}\n"
    "{\"text\": \"wake me\", \"label\": \"alarm\", \"lang\": 1}\n"
    "\n"
    "{\"text\": \"sing\", \"label\": \"play_music\", \"lang\": 2}\n";

static void test_pool__jsonl_gives_texts_and_labels(void **state)
{
    write_file("a.jsonl", rows);
    const icl_pool_options options = {
        .name = "a", .path = "a.jsonl", .text_field = "text", .label_field = "label"
    };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 3);
    assert_int_equal(pool->label_count, 2);
    assert_label(pool, "play a song", "play music");
    assert_label(pool, "wake me", "alarm");
    assert_label(pool, "sing", "play music");
    assert_int_equal(pool->bytes, 11 + 7 + 4);
    assert_string_equal(pool->name, "a");
    assert_true(pool->vectors == NULL && pool->vector_count == 0);
    icl_pool_close(pool);
}

static void test_pool__only_rows_of_the_asked_value_are_kept(void **state)
{
    write_file("a.jsonl", rows);
    icl_pool_options options = { .name = "a",
                                 .path = "a.jsonl",
                                 .text_field = "text",
                                 .label_field = "label",
                                 .where_field = "lang",
                                 .where_value = "2" };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 1);
    assert_int_equal(pool->label_count, 1);
    assert_label(pool, "sing", "play music");
    icl_pool_close(pool);
    options.where_value = "3";
    assert_refused(&options, ICL_EPARSE, "a.jsonl: pool \"a\" finds no text with lang = \"3\"");
}

static void test_pool__csv_tsv_and_joined_fields(void **state)
{
    write_file("b.csv", "premise,hypothesis,label\n\"It rains, hard.\",It is wet.,yes\n");
    write_file("b.tsv", "premise\thypothesis\tlabel\nIt rains.\tIt is dry.\tno\n");
    icl_pool_options options = {
        .name = "b", .path = "b.csv", .text_field = "premise+hypothesis", .label_field = "label"
    };
    icl_pool *pool = open_well(&options);
    assert_label(pool, "It rains, hard. It is wet.", "yes");
    icl_pool_close(pool);
    options.path = "b.tsv";
    pool = open_well(&options);
    assert_label(pool, "It rains. It is dry.", "no");
    icl_pool_close(pool);
}

static const char prose[] = "\xEF\xBB\xBFMr. Smith came in. He sat down!\r\n\r\n"
                            "\"Who?\" he asked. Nobody.\n  The very last line of it\n";

static void test_pool__plain_text_is_cut_as_asked(void **state)
{
    write_file("c.txt", prose);
    icl_pool_options options = { .name = "c", .path = "c.txt", .text_field = "text" };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 1);
    assert_string_equal(pool->texts[0], "Mr. Smith came in. He sat down!\n\"Who?\" he asked. "
                                        "Nobody.\nThe very last line of it");
    assert_null(pool->labels);
    icl_pool_close(pool);

    options.cut = ICL_CUT_LINES;
    pool = open_well(&options);
    assert_int_equal(pool->count, 3);
    assert_true(place_of(pool, "\"Who?\" he asked. Nobody.") < 3);
    icl_pool_close(pool);

    options.cut = ICL_CUT_SENTENCES;
    pool = open_well(&options);
    assert_int_equal(pool->count, 5);
    assert_true(place_of(pool, "Mr. Smith came in.") < 5 && place_of(pool, "Nobody.") < 5);
    icl_pool_close(pool);
}

static void test_pool__word_bounds_drop_pieces_and_cut_whole_texts(void **state)
{
    write_file("c.txt", prose);
    icl_pool_options options = { .name = "c",
                                 .path = "c.txt",
                                 .text_field = "text",
                                 .cut = ICL_CUT_SENTENCES,
                                 .words_min = 3,
                                 .words_max = 4 };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 3);
    assert_true(place_of(pool, "He sat down!") < 3 && place_of(pool, "\"Who?\" he asked.") < 3);
    icl_pool_close(pool);
    options.cut = ICL_CUT_WHOLE;
    pool = open_well(&options);
    assert_int_equal(pool->count, 1);
    assert_string_equal(pool->texts[0], "Mr. Smith came in.");
    icl_pool_close(pool);
    options.words_min = 40;
    options.words_max = 0;
    assert_refused(&options, ICL_EPARSE, "c.txt: pool \"c\" finds no text of 40 words or more");
}

static void test_pool__repeats_are_dropped_unless_their_labels_differ(void **state)
{
    write_file("d.csv", "text,label\nsame,a\nsame,a\nsame,b\nother,a\n");
    icl_pool_options options = {
        .name = "d", .path = "d.csv", .text_field = "text", .label_field = "label"
    };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 3);
    icl_pool_close(pool);
    options.label_field = NULL;
    pool = open_well(&options);
    assert_int_equal(pool->count, 2);
    icl_pool_close(pool);
}

/* The order is the seed's, and a limited pool is the beginning of the whole one. */
static void test_pool__order_and_draw_depend_on_the_seed(void **state)
{
    icl_text lines = { 0 };
    for (int i = 0; i < 200; i++) icl_text_printf(&lines, "line %d\n", i);
    write_file("e.txt", icl_text_string(&lines));
    icl_text_deinit(&lines);
    icl_pool_options options = {
        .name = "e", .path = "e.txt", .text_field = "text", .cut = ICL_CUT_LINES, .seed = 3
    };
    icl_pool *whole = open_well(&options), *again = open_well(&options);
    options.items_max = 50;
    icl_pool *some = open_well(&options);
    options.seed = 4;
    icl_pool *others = open_well(&options);
    size_t same = 0, in_place = 0;
    assert_true(whole->count == 200 && some->count == 50 && others->count == 50);
    for (size_t i = 0; i < 200; i++) {
        char line[16];
        assert_string_equal(whole->texts[i], again->texts[i]);
        snprintf(line, sizeof line, "line %zu", i);
        assert_true(place_of(whole, line) < 200);
        in_place += place_of(whole, line) == i;
    }
    for (size_t i = 0; i < 50; i++) {
        assert_string_equal(some->texts[i], whole->texts[i]);
        same += strcmp(some->texts[i], others->texts[i]) == 0;
    }
    assert_true(in_place < 10 && same < 10);
    icl_pool_close(others);
    icl_pool_close(some);
    icl_pool_close(again);
    icl_pool_close(whole);
}

static void test_pool__compressed_files_are_opened(void **state)
{
    gzFile file = gzopen("f.jsonl.gz", "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, rows, sizeof rows - 1), sizeof rows - 1);
    assert_int_equal(gzclose(file), Z_OK);
    const icl_pool_options options = {
        .name = "f", .path = "f.jsonl.gz", .text_field = "text", .label_field = "label"
    };
    icl_pool *pool = open_well(&options);
    assert_int_equal(pool->count, 3);
    icl_pool_close(pool);
    icl_text bytes = { 0 };
    assert_int_equal(icl_file_read(&bytes, "f.jsonl.gz", 4096), ICL_OK);
    assert_int_equal(icl_file_write_atomic("f.jsonl.gz", bytes.bytes, 40), ICL_OK);
    icl_text_deinit(&bytes);
    assert_refused(&options, ICL_EPARSE,
                   "\"f.jsonl.gz\" is cut off: its gzip data ends after 40 bytes");
}

static void test_pool__errors_name_the_place_and_the_value(void **state)
{
    icl_pool_options options = { .name = "g", .path = "absent.jsonl", .text_field = "text" };
    assert_refused(&options, ICL_EIO, "cannot open \"absent.jsonl\": No such file or directory");
    write_file("g.jsonl", "{\"text\": \"a\", \"labels\": [1]}\n{\"text\": 1}\n");
    options.path = "g.jsonl";
    options.text_field = "txt";
    assert_refused(&options, ICL_ENOTFOUND,
                   "g.jsonl:1: the row has no field \"txt\"; did you mean \"text\"?");
    options.text_field = "question";
    assert_refused(&options, ICL_ENOTFOUND,
                   "g.jsonl:1: the row has no field \"question\"; it has \"text\", \"labels\"");
    options.text_field = "text";
    options.label_field = "labels";
    assert_refused(&options, ICL_EPARSE,
                   "g.jsonl:1: field \"labels\" is not a string, a number or a boolean");
    write_file("g.jsonl", "{\"text\": \"a\", \"label\": \"\"}\n");
    options.label_field = "label";
    assert_refused(&options, ICL_EPARSE, "g.jsonl:1: the label is empty");
    write_file("g.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \n");
    icl_pool *pool = NULL;
    assert_int_equal(icl_pool_open(&pool, &options), ICL_EPARSE);
    assert_non_null(strstr(icl_error_message(), "g.jsonl:2:"));
    write_file("g.csv", "text,label\na,x\n");
    options.path = "g.csv";
    options.label_field = "lable";
    assert_refused(&options, ICL_ENOTFOUND,
                   "g.csv:2: the row has no field \"lable\"; did you mean \"label\"?");
    write_file("g.txt", "good \xFF bad");
    options.path = "g.txt";
    options.label_field = NULL;
    assert_refused(&options, ICL_EPARSE, "g.txt: invalid UTF-8 at byte offset 5");
    write_file("g.txt", "good");
    options.label_field = "label";
    assert_refused(&options, ICL_ENOTFOUND, "g.txt: plain text has no fields, so not \"label\"");
    write_file("g.txt", "");
    assert_refused(&options, ICL_EPARSE, "g.txt: the file is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool__jsonl_gives_texts_and_labels),
        cmocka_unit_test(test_pool__only_rows_of_the_asked_value_are_kept),
        cmocka_unit_test(test_pool__csv_tsv_and_joined_fields),
        cmocka_unit_test(test_pool__plain_text_is_cut_as_asked),
        cmocka_unit_test(test_pool__word_bounds_drop_pieces_and_cut_whole_texts),
        cmocka_unit_test(test_pool__repeats_are_dropped_unless_their_labels_differ),
        cmocka_unit_test(test_pool__order_and_draw_depend_on_the_seed),
        cmocka_unit_test(test_pool__compressed_files_are_opened),
        cmocka_unit_test(test_pool__errors_name_the_place_and_the_value),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}
