/* What a dataset makes of JSONL, CSV and TSV, and the sentence for each kind of bad input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include <icl/dataset.h>

#include "base/file.h"
#include "base/text.h"
#include "data/example.h"

/* Reads `length` bytes as if they stood in a file called `name`. */
static icl_status read_bytes(icl_dataset **out, const char *name, const char *bytes, size_t length,
                             const icl_dataset_options *options)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    rewind(stream);
    const icl_status status = icl_dataset_read(out, stream, name, options);
    fclose(stream);
    return status;
}

static icl_dataset *read_ok(const char *name, const char *text, const icl_dataset_options *options)
{
    icl_dataset *dataset = NULL;
    if (read_bytes(&dataset, name, text, strlen(text), options) != ICL_OK)
        fail_msg("%s", icl_error_message());
    return dataset;
}

static void test_dataset__jsonl_rows_become_examples(void **state)
{
    icl_dataset *dataset =
        read_ok("folder/train.jsonl",
                "\xEF\xBB\xBF{\"text\": \"a\", \"label\": \"x\"}\r\n"
                "\n"
                "{\"text\": \"b \\u00e9\", \"label\": \"y\", \"id\": \"second\"}\n"
                "{\"label\": \"x\", \"text\": \"c\", \"more\": [1, {\"d\": 2}]}",
                NULL);
    assert_int_equal(icl_dataset_count(dataset), 3);
    assert_string_equal(icl_dataset_name(dataset), "folder/train.jsonl");
    const icl_example *first = icl_dataset_at(dataset, 0), *second = icl_dataset_at(dataset, 1);
    const icl_example *third = icl_dataset_at(dataset, 2);
    assert_string_equal(icl_example_id(first), "train-1");
    assert_string_equal(icl_example_id(second), "second");
    assert_string_equal(icl_example_id(third), "train-4");
    assert_int_equal(icl_example_line(second), 3);
    assert_string_equal(icl_example_input(second), "b \xC3\xA9");
    assert_string_equal(icl_example_text(third, "text"), "c");
    assert_null(icl_example_text(third, "more"));
    assert_null(icl_example_text(third, "absent"));
    assert_int_equal(json_array_size(json_object_get(icl_example_row(third), "more")), 2);
    assert_int_equal(icl_dataset_find(dataset, "second"), 1);
    assert_true(icl_dataset_find(dataset, "third") == SIZE_MAX);
    icl_dataset_close(dataset);
}

static void test_dataset__labels_stand_in_order_of_first_appearance(void **state)
{
    icl_dataset *dataset = read_ok("a.jsonl",
                                   "{\"text\": \"1\", \"label\": \"zebra\"}\n"
                                   "{\"text\": \"2\", \"label\": \"ant\"}\n"
                                   "{\"text\": \"3\", \"label\": \"zebra\"}\n",
                                   NULL);
    const icl_label_space *labels = icl_dataset_labels(dataset);
    assert_int_equal(icl_label_space_count(labels), 2);
    assert_string_equal(icl_label_space_name(labels, 0), "zebra");
    assert_string_equal(icl_label_space_name(labels, 1), "ant");
    assert_int_equal(icl_example_label(icl_dataset_at(dataset, 2)), 0);
    icl_dataset_close(dataset);
}

static void test_dataset__numbers_are_compared_by_value(void **state)
{
    icl_dataset *dataset = read_ok("a.jsonl",
                                   "{\"text\": 7, \"label\": 1, \"id\": 10}\n"
                                   "{\"text\": 0.1, \"label\": 1.0}\n"
                                   "{\"text\": true, \"label\": \"1\"}\n"
                                   "{\"text\": 1e300, \"label\": false}\n",
                                   NULL);
    const icl_label_space *labels = icl_dataset_labels(dataset);
    assert_int_equal(icl_label_space_count(labels), 2);
    assert_string_equal(icl_label_space_name(labels, 0), "1");
    assert_string_equal(icl_label_space_name(labels, 1), "false");
    assert_string_equal(icl_example_id(icl_dataset_at(dataset, 0)), "10");
    const char *const inputs[] = { "7", "0.1", "true", "1e+300" };
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(icl_example_input(icl_dataset_at(dataset, i)), inputs[i]);
    icl_dataset_close(dataset);
}

static void test_dataset__csv_and_tsv_say_the_same_as_jsonl(void **state)
{
    static const char *const files[][2] = {
        { "a.jsonl", "{\"text\": \"say \\\"hi\\\", now\\nor never\", \"label\": \"x\"}\n\n"
                     "{\"text\": \"two\\tcells\", \"label\": \"y\"}\n" },
        { "a.csv", "text,label\r\n\"say \"\"hi\"\", now\nor never\",x\r\ntwo\tcells,y" },
        { "a.tsv", "label\ttext\nx\t\"say \"\"hi\"\", now\nor never\"\ny\t\"two\tcells\"\n" },
    };
    for (size_t i = 0; i < 3; i++) {
        icl_dataset *dataset = read_ok(files[i][0], files[i][1], NULL);
        assert_int_equal(icl_dataset_count(dataset), 2);
        assert_string_equal(icl_example_input(icl_dataset_at(dataset, 0)),
                            "say \"hi\", now\nor never");
        assert_string_equal(icl_example_input(icl_dataset_at(dataset, 1)), "two\tcells");
        assert_int_equal(icl_example_label(icl_dataset_at(dataset, 1)), 1);
        icl_dataset_close(dataset);
    }
    icl_dataset *dataset = read_ok("a.csv", files[1][1], NULL);
    assert_int_equal(icl_example_line(icl_dataset_at(dataset, 1)), 4); /* after the two-line cell */
    icl_dataset_close(dataset);
}

static void test_dataset__several_input_fields_are_joined(void **state)
{
    static const char *const fields[] = { "premise", "hypothesis" };
    icl_dataset_options options = icl_dataset_options_default();
    options.input_fields = fields;
    options.input_field_count = 2;
    options.label_field = "gold";
    options.id_field = "key";
    icl_dataset *dataset =
        read_ok("a.csv", "key,premise,hypothesis,gold\nk1,It rains.,It is wet.,yes\n", &options);
    const icl_example *example = icl_dataset_at(dataset, 0);
    assert_string_equal(icl_example_input(example), "It rains.\nIt is wet.");
    assert_string_equal(icl_example_id(example), "k1");
    assert_int_equal(icl_example_label(example), 0);
    icl_dataset_close(dataset);
}

static void test_dataset__labels_may_be_optional_or_unread(void **state)
{
    static const char text[] = "{\"text\": \"a\"}\n{\"text\": \"b\", \"label\": null}\n"
                               "{\"text\": \"c\", \"label\": \"x\"}\n";
    icl_dataset_options options = icl_dataset_options_default();
    options.require_label = false;
    icl_dataset *dataset = read_ok("a.jsonl", text, &options);
    assert_true(icl_example_label(icl_dataset_at(dataset, 0)) == ICL_LABEL_NONE);
    assert_true(icl_example_label(icl_dataset_at(dataset, 1)) == ICL_LABEL_NONE);
    assert_int_equal(icl_example_label(icl_dataset_at(dataset, 2)), 0);
    icl_dataset_close(dataset);

    options = icl_dataset_options_default();
    options.label_field = NULL;
    dataset = read_ok("a.jsonl", text, &options);
    assert_int_equal(icl_label_space_count(icl_dataset_labels(dataset)), 0);
    assert_true(icl_example_label(icl_dataset_at(dataset, 2)) == ICL_LABEL_NONE);
    icl_dataset_close(dataset);
}

/* The dataset keeps its own copy, so pool and queries may be closed in any order. */
static void test_dataset__a_given_label_space_is_copied(void **state)
{
    static const char *const names[] = { "x", "y" };
    icl_label_space *labels = NULL;
    assert_int_equal(icl_label_space_new(&labels, names, 2), ICL_OK);
    icl_dataset_options options = icl_dataset_options_default();
    options.labels = labels;
    icl_dataset *dataset = read_ok("a.jsonl", "{\"text\": \"a\", \"label\": \"y\"}", &options);
    icl_label_space_free(labels);
    assert_int_equal(icl_example_label(icl_dataset_at(dataset, 0)), 1);
    assert_string_equal(icl_label_space_name(icl_dataset_labels(dataset), 1), "y");
    icl_dataset_close(dataset);
}

#define BYTES(text) text, sizeof text - 1

/* Every refusal is one sentence with file, line and value. */
static void test_dataset__bad_input_is_named_by_file_line_and_value(void **state)
{
    static const char *const names[] = { "positive", "negative" };
    static const struct {
        const char *name, *bytes;
        size_t length;
        icl_status status;
        const char *message;
    } cases[] = {
        { "a.txt", BYTES("x"), ICL_EINVAL,
          "the extension of \"a.txt\" does not tell its format: use .jsonl, .csv or .tsv" },
        { "a.jsonl", BYTES(""), ICL_EPARSE, "a.jsonl: the file holds no examples" },
        { "a.jsonl", BYTES("\n  \n"), ICL_EPARSE, "a.jsonl: the file holds no examples" },
        { "a.csv", BYTES(""), ICL_EPARSE, "a.csv: the file is empty: no header line" },
        { "a.csv", BYTES("text,label\n"), ICL_EPARSE, "a.csv: the file holds no examples" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"label\": \"positive\"}\n{\"text\": oops}\n"),
          ICL_EPARSE, "a.jsonl:2:13: invalid JSON: invalid token near 'oops'" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"text\": \"b\"}"), ICL_EPARSE,
          "a.jsonl:1:20: invalid JSON: duplicate object key near '\"text\"'" },
        { "a.jsonl", BYTES("[1, 2]"), ICL_EPARSE, "a.jsonl:1: the line is not a JSON object" },
        { "a.jsonl", BYTES("\"text\""), ICL_EPARSE, "a.jsonl:1: the line is not a JSON object" },
        { "a.jsonl", BYTES("{\"sentence\": \"a\", \"label\": \"positive\"}"), ICL_EPARSE,
          "a.jsonl:1: field \"text\" is missing; the row has \"sentence\", \"label\"" },
        { "a.jsonl", BYTES("{}"), ICL_EPARSE,
          "a.jsonl:1: field \"text\" is missing; the row has no fields" },
        { "a.csv", BYTES("sentence,label\na,positive\n"), ICL_EPARSE,
          "a.csv:2: field \"text\" is missing; the row has \"sentence\", \"label\"" },
        { "a.jsonl", BYTES("{\"text\": [\"a\"], \"label\": \"positive\"}"), ICL_EPARSE,
          "a.jsonl:1: field \"text\" is not a string, a number or a boolean" },
        { "a.jsonl", BYTES("{\"text\": \"a\"}"), ICL_EPARSE,
          "a.jsonl:1: field \"label\" is missing; the row has \"text\"" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"label\": null}"), ICL_EPARSE,
          "a.jsonl:1: the label is empty" },
        { "a.csv", BYTES("text,label\na,\n"), ICL_EPARSE, "a.csv:2: the label is empty" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"label\": {\"b\": 1}}"), ICL_EPARSE,
          "a.jsonl:1: field \"label\" is not a string, a number or a boolean" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"label\": \"positve\"}"), ICL_EPARSE,
          "a.jsonl:1: label \"positve\" is not in the label space; did you mean \"positive\"?" },
        { "a.jsonl", BYTES("{\"text\": \"a\", \"label\": \"Z\"}"), ICL_EPARSE,
          "a.jsonl:1: label \"Z\" is not in the label space" },
        { "a.jsonl",
          BYTES("{\"id\": 7, \"text\": \"a\", \"label\": \"positive\"}\n\n"
                "{\"id\": \"7\", \"text\": \"b\", \"label\": \"positive\"}\n"),
          ICL_EPARSE, "a.jsonl:3: id \"7\" stands already on line 1" },
        { "a.jsonl",
          BYTES("{\"text\": \"a\", \"label\": \"positive\"}\n"
                "{\"text\": \"b\", \"label\": \"positive\", \"id\": \"a-1\"}\n"),
          ICL_EPARSE, "a.jsonl:2: id \"a-1\" stands already on line 1" },
        { "a.jsonl", BYTES("{\"text\": \"a\xFF\", \"label\": \"positive\"}"), ICL_EPARSE,
          "a.jsonl:1: invalid UTF-8: byte 0xff at byte offset 11" },
        { "a.csv", BYTES("text,label\na,positive\nb\xC3,negative\n"), ICL_EPARSE,
          "a.csv:3: invalid UTF-8: byte 0xc3 at byte offset 1 of column 1" },
        { "a.jsonl", BYTES("{\"text\": \"a\0b\"}"), ICL_EPARSE,
          "a.jsonl:1:12: NUL byte in the line" },
        { "a.jsonl", BYTES("{\"text\": \"a\\u0000b\", \"label\": \"positive\"}"), ICL_EPARSE,
          "a.jsonl:1:19: the text holds \\u0000, a NUL character" },
        { "a.csv", BYTES("text,label\na\0b,positive\n"), ICL_EPARSE,
          "a.csv:2: NUL byte in column 1" },
    };
    icl_dataset_options options = icl_dataset_options_default();
    icl_label_space *labels = NULL;
    assert_int_equal(icl_label_space_new(&labels, names, 2), ICL_OK);
    options.labels = labels;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        icl_dataset *dataset = NULL;
        const icl_status status =
            read_bytes(&dataset, cases[i].name, cases[i].bytes, cases[i].length, &options);
        assert_string_equal(icl_error_message(), cases[i].message);
        assert_int_equal(status, cases[i].status);
        assert_null(dataset);
    }
    icl_label_space_free(labels);
}

static void test_dataset__missing_file_and_folder_are_io_errors(void **state)
{
    icl_dataset *dataset = NULL;
    assert_int_equal(icl_dataset_open(&dataset, "no/such.jsonl", NULL), ICL_EIO);
    assert_string_equal(icl_error_message(),
                        "cannot open \"no/such.jsonl\": No such file or directory");
    const icl_format formats[] = { ICL_FORMAT_JSONL, ICL_FORMAT_CSV };
    for (size_t i = 0; i < 2; i++) {
        icl_dataset_options options = icl_dataset_options_default();
        options.format = formats[i];
        assert_int_equal(icl_dataset_open(&dataset, "/", &options), ICL_EIO);
        assert_string_equal(icl_error_message(), "cannot read \"/\": Is a directory");
    }
    assert_null(dataset);
}

static long resident_kib_max(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* A 100 MB line is refused by its number, and never held as a whole. */
static void test_dataset__a_huge_line_is_refused_in_bounded_memory(void **state)
{
    static const char *const names[] = { "huge.jsonl", "huge.csv" };
    static const char *const starts[] = { "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"",
                                          "text,label\n\"" };
    static const char *const messages[] = {
        "huge.jsonl:2: the line is longer than 16777216 bytes",
        "huge.csv:2: the record is longer than 16777216 bytes"
    };
    enum { CHUNK = 1000000, CHUNKS = 100 };
    char *chunk = malloc(CHUNK);
    assert_non_null(chunk);
    memset(chunk, 'a', CHUNK);
    for (size_t i = 0; i < 2; i++) {
        FILE *stream = tmpfile();
        assert_non_null(stream);
        fputs(starts[i], stream);
        for (size_t c = 0; c < CHUNKS; c++)
            assert_int_equal(fwrite(chunk, 1, CHUNK, stream), CHUNK);
        rewind(stream);
        const long before = resident_kib_max();
        icl_dataset *dataset = NULL;
        assert_int_equal(icl_dataset_read(&dataset, stream, names[i], NULL), ICL_EPARSE);
        assert_string_equal(icl_error_message(), messages[i]);
        /* Room for a line of 16 MiB while it grows by doubling, which a sanitizer never reuses. */
        assert_true(resident_kib_max() - before < 90 * 1024);
        fclose(stream);
    }
    free(chunk);
}

static void test_dataset__a_line_at_the_limit_is_read(void **state)
{
    static const char start[] = "{\"label\": \"x\", \"text\": \"", end[] = "\"}\n";
    const size_t inside = ICL_LINE_BYTES_MAX - (sizeof start - 1) - (sizeof end - 2);
    FILE *stream = tmpfile();
    char *fill = malloc(inside);
    assert_non_null(stream);
    assert_non_null(fill);
    memset(fill, 'a', inside);
    fputs(start, stream);
    assert_int_equal(fwrite(fill, 1, inside, stream), inside);
    fputs(end, stream);
    rewind(stream);
    icl_dataset *dataset = NULL;
    assert_int_equal(icl_dataset_read(&dataset, stream, "a.jsonl", NULL), ICL_OK);
    assert_int_equal(strlen(icl_example_input(icl_dataset_at(dataset, 0))), inside);
    icl_dataset_close(dataset);
    fclose(stream);
    free(fill);
}

static void test_dataset__a_hundred_thousand_rows_are_read(void **state)
{
    enum { ROWS = 100000 };
    FILE *stream = tmpfile();
    assert_non_null(stream);
    for (size_t i = 0; i < ROWS; i++)
        fprintf(stream,
                "{\"text\": \"row %zu of a made-up file of sentences\", \"label\": \"l%zu\"}\n", i,
                i % 150);
    rewind(stream);
    icl_dataset *dataset = NULL;
    const clock_t start = clock();
    assert_int_equal(icl_dataset_read(&dataset, stream, "many.jsonl", NULL), ICL_OK);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%d rows in %.3f s of processor time\n", ROWS, seconds);
    assert_true(seconds <
                20.0); /* far above a slow machine under sanitizers; quadratic takes minutes */
    assert_int_equal(icl_dataset_count(dataset), ROWS);
    assert_int_equal(icl_label_space_count(icl_dataset_labels(dataset)), 150);
    assert_int_equal(icl_dataset_find(dataset, "many-77778"), 77777);
    icl_dataset_close(dataset);
    fclose(stream);
}

static FILE *stream_of(const char *text)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    rewind(stream);
    return stream;
}

/* Reads all in pieces of `size`: "id=input," for each row, "|" behind each piece, then the sentence
 * of a failure. */
static void read_pieces(icl_text *out, const char *text, const char *name, size_t size)
{
    icl_dataset_options options = icl_dataset_options_default();
    options.label_field = NULL;
    options.id_field = NULL;
    options.id_stem = "row";
    FILE *stream = stream_of(text);
    icl_dataset_reader *reader = NULL;
    assert_int_equal(icl_dataset_reader_open(&reader, stream, name, &options), ICL_OK);
    icl_dataset *piece = NULL;
    icl_status status;
    while ((status = icl_dataset_reader_next(&piece, reader, size)) == ICL_OK && piece != NULL) {
        assert_true(icl_dataset_count(piece) <= size);
        for (size_t i = 0; i < icl_dataset_count(piece); i++)
            icl_text_printf(out, "%s=%s,", icl_example_id(icl_dataset_at(piece, i)),
                            icl_example_input(icl_dataset_at(piece, i)));
        icl_text_append_string(out, "|");
        icl_dataset_close(piece);
    }
    assert_null(piece);
    if (status != ICL_OK) icl_text_append_string(out, icl_error_message());
    icl_dataset_reader_close(reader);
    fclose(stream);
}

static void assert_pieces(const char *text, const char *name, size_t size, const char *expected)
{
    icl_text out = { 0 };
    read_pieces(&out, text, name, size);
    assert_string_equal(icl_text_string(&out), expected);
    icl_text_deinit(&out);
}

static void test_dataset__a_reader_gives_the_same_rows_in_pieces(void **state)
{
    (void)state;
    const char *rows = "{\"text\":\"a\",\"id\":1}\n\n{\"text\":\"b\",\"id\":1}\n{\"text\":\"c\"}";
    assert_pieces(rows, "x.jsonl", 100, "row-1=a,row-3=b,row-4=c,|");
    assert_pieces(rows, "x.jsonl", 2, "row-1=a,row-3=b,|row-4=c,|");
    assert_pieces(rows, "x.jsonl", 1, "row-1=a,|row-3=b,|row-4=c,|");
    assert_pieces("text\na\nb\nc\n", "x.csv", 2, "row-2=a,row-3=b,|row-4=c,|");
    assert_pieces("\n", "x.jsonl", 2, "");
}

static void test_dataset__a_reader_gives_the_rows_before_a_bad_one(void **state)
{
    (void)state;
    const char *rows = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"tex\":\"c\"}\n";
    const char *sentence = "x.jsonl:3: field \"text\" is missing; the row has \"tex\"";
    icl_text expected = { 0 };
    icl_text_printf(&expected, "row-1=a,row-2=b,|%s", sentence);
    assert_pieces(rows, "x.jsonl", 100, icl_text_string(&expected));
    assert_pieces(rows, "x.jsonl", 2, icl_text_string(&expected));
    icl_text_clear(&expected);
    icl_text_printf(&expected, "row-1=a,|row-2=b,|%s", sentence);
    assert_pieces(rows, "x.jsonl", 1, icl_text_string(&expected));
    icl_text_deinit(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataset__a_reader_gives_the_same_rows_in_pieces),
        cmocka_unit_test(test_dataset__a_reader_gives_the_rows_before_a_bad_one),
        cmocka_unit_test(test_dataset__jsonl_rows_become_examples),
        cmocka_unit_test(test_dataset__labels_stand_in_order_of_first_appearance),
        cmocka_unit_test(test_dataset__numbers_are_compared_by_value),
        cmocka_unit_test(test_dataset__csv_and_tsv_say_the_same_as_jsonl),
        cmocka_unit_test(test_dataset__several_input_fields_are_joined),
        cmocka_unit_test(test_dataset__labels_may_be_optional_or_unread),
        cmocka_unit_test(test_dataset__a_given_label_space_is_copied),
        cmocka_unit_test(test_dataset__bad_input_is_named_by_file_line_and_value),
        cmocka_unit_test(test_dataset__missing_file_and_folder_are_io_errors),
        cmocka_unit_test(test_dataset__a_huge_line_is_refused_in_bounded_memory),
        cmocka_unit_test(test_dataset__a_line_at_the_limit_is_read),
        cmocka_unit_test(test_dataset__a_hundred_thousand_rows_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
