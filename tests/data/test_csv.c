/* The CSV reader: RFC 4180 by example, its refusals, and a round trip of random cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"
#include "data/csv.h"

static FILE *stream_of(const char *bytes, size_t length)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    rewind(stream);
    return stream;
}

/* The header and all records as one text: cells in brackets, "line:" before each record. */
static void assert_reads(const char *bytes, const char *expected)
{
    FILE *stream = stream_of(bytes, strlen(bytes));
    icl_csv *csv = NULL;
    icl_text seen = { 0 };
    bool more = true;
    if (icl_csv_new(&csv, stream, "a.csv", ',') != ICL_OK) fail_msg("%s", icl_error_message());
    for (size_t i = 0; i < icl_csv_column_count(csv); i++)
        icl_text_printf(&seen, "[%s]", icl_csv_column(csv, i));
    while (more) {
        if (icl_csv_next(csv, &more) != ICL_OK) fail_msg("%s", icl_error_message());
        if (more) icl_text_printf(&seen, " %zu:", icl_csv_line(csv));
        for (size_t i = 0; more && i < icl_csv_column_count(csv); i++) {
            assert_int_equal(icl_csv_cell_length(csv, i), strlen(icl_csv_cell(csv, i)));
            icl_text_printf(&seen, "[%s]", icl_csv_cell(csv, i));
        }
    }
    assert_string_equal(icl_text_string(&seen), expected);
    icl_text_deinit(&seen);
    icl_csv_free(csv);
    fclose(stream);
}

static void test_csv__reads_records(void **state)
{
    assert_reads("a,b\n1,2\n", "[a][b] 2:[1][2]");
    assert_reads("a,b\r\n1,2\r\n3,4", "[a][b] 2:[1][2] 3:[3][4]");
    assert_reads("a,b\r1,2\r", "[a][b] 2:[1][2]");
    assert_reads("a\n", "[a]");
    assert_reads("a,b\n,\n", "[a][b] 2:[][]");
    assert_reads("\n\na\n\n\nx\n\n", "[a] 6:[x]");
    assert_reads("a\n x \n", "[a] 2:[ x ]");
}

static void test_csv__quotes_hold_separators_line_ends_and_quotes(void **state)
{
    assert_reads("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "[a][b] 2:[x,y][say \"hi\"]");
    assert_reads("a,b\n\"one\ntwo\r\nthree\",z\nlast,\"\"",
                 "[a][b] 2:[one\ntwo\r\nthree][z] 5:[last][]");
    assert_reads("\"a,\n1\"\n\"\"\"\"\n", "[a,\n1] 3:[\"]");
    assert_reads("a\nit's 5\" wide\n", "[a] 2:[it's 5\" wide]"); /* a quote inside is plain text */
}

static void test_csv__a_byte_order_mark_is_no_part_of_the_header(void **state)
{
    assert_reads("\xEF\xBB\xBF\"a\",b\n1,2\n", "[a][b] 2:[1][2]");
    assert_reads("\xEF\xBC\xA1,b\n1,2\n", "[\xEF\xBC\xA1][b] 2:[1][2]"); /* fullwidth A */
    assert_reads("\xEF\xBB\xBF"
                 "a\n",
                 "[a]");
}

static void test_csv__bad_records_are_refused(void **state)
{
    static const struct {
        const char *bytes, *message;
    } cases[] = {
        { "", "a.csv: the file is empty: no header line" },
        { "\xEF\xBB\xBF", "a.csv: the file is empty: no header line" },
        { "\xEF", "a.csv:1: invalid UTF-8: byte 0xef at byte offset 0 of column 1" },
        { "a,b,a\n", "a.csv:1: column name \"a\" stands twice" },
        { "a,b\n1\n", "a.csv:2: the record has 1 cells, the header has 2" },
        { "a,b\n\"x\ny\",2\n1,2,3\n", "a.csv:4: the record has 3 cells, the header has 2" },
        { "a,b\n1,2\n3,\"open\nand on\n", "a.csv:3: the quote opened in column 2 never closes" },
        { "a\n\"x\" y\n", "a.csv:2: text after the closing quote of column 1" },
        { "a\n\"x\xFFy\"\n", "a.csv:2: invalid UTF-8: byte 0xff at byte offset 1 of column 1" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *stream = stream_of(cases[i].bytes, strlen(cases[i].bytes));
        icl_csv *csv = NULL;
        bool more = true;
        icl_status status = icl_csv_new(&csv, stream, "a.csv", ',');
        while (status == ICL_OK && more) status = icl_csv_next(csv, &more);
        assert_int_equal(status, ICL_EPARSE);
        assert_string_equal(icl_error_message(), cases[i].message);
        icl_csv_free(csv);
        fclose(stream);
    }
}

static void append_quoted(icl_text *out, const char *cell)
{
    icl_text_append_char(out, '"');
    for (const char *at = cell; *at != '\0'; at++)
        icl_text_append_string(out, *at == '"' ? "\"\"" : (const char[]){ *at, '\0' });
    icl_text_append_char(out, '"');
}

static void test_csv__whatever_is_quoted_comes_back(void **state)
{
    enum { COLUMNS = 3, ROUNDS = 300, LENGTH_MAX = 8 };
    static const char alphabet[] = "ab,\"\n\r\t ";
    icl_rng rng = icl_rng_new(5, "test", NULL, "csv");
    for (size_t round = 0; round < ROUNDS; round++) {
        char cells[COLUMNS][LENGTH_MAX + 1] = { 0 };
        icl_text file = { 0 };
        icl_text_append_string(&file, "x,y,z\n");
        for (size_t i = 0; i < COLUMNS; i++) {
            const size_t length = icl_rng_below(&rng, LENGTH_MAX + 1);
            for (size_t c = 0; c < length; c++)
                cells[i][c] = alphabet[icl_rng_below(&rng, sizeof alphabet - 1)];
            if (i > 0) icl_text_append_char(&file, ',');
            append_quoted(&file, cells[i]);
        }
        FILE *stream = stream_of(file.bytes, file.length);
        icl_csv *csv = NULL;
        bool more = false;
        assert_int_equal(icl_csv_new(&csv, stream, "a.csv", ','), ICL_OK);
        assert_int_equal(icl_csv_next(csv, &more), ICL_OK);
        assert_true(more);
        for (size_t i = 0; i < COLUMNS; i++) assert_string_equal(icl_csv_cell(csv, i), cells[i]);
        assert_int_equal(icl_csv_next(csv, &more), ICL_OK);
        assert_false(more);
        icl_csv_free(csv);
        fclose(stream);
        icl_text_deinit(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv__reads_records),
        cmocka_unit_test(test_csv__quotes_hold_separators_line_ends_and_quotes),
        cmocka_unit_test(test_csv__a_byte_order_mark_is_no_part_of_the_header),
        cmocka_unit_test(test_csv__bad_records_are_refused),
        cmocka_unit_test(test_csv__whatever_is_quoted_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
