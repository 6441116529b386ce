#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

/* Each test works in a folder of its own. */
static int enter_scratch(void **state)
{
    static char folder[64];
    strcpy(folder, "test_file-XXXXXX");
    *state = mkdtemp(folder);
    return *state == NULL || chdir(folder) != 0;
}

static int leave_scratch(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return chdir("..") != 0 || system(command) != 0;
}

static size_t files_here(void)
{
    size_t count = 0;
    DIR *folder = opendir(".");
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void test_file__what_is_written_is_read_back(void **state)
{
    icl_text text = { 0 };
    assert_int_equal(icl_file_write_atomic("a.txt", "one\0two", 7), ICL_OK);
    icl_text_append_string(&text, ">");
    assert_int_equal(icl_file_read(&text, "a.txt", 7), ICL_OK);
    assert_int_equal(text.length, 8);
    assert_memory_equal(text.bytes, ">one\0two", 8);
    assert_int_equal(icl_file_write_atomic("a.txt", "", 0), ICL_OK);
    icl_text_clear(&text);
    assert_int_equal(icl_file_read(&text, "a.txt", 0), ICL_OK);
    assert_int_equal(text.length, 0);
    assert_int_equal(files_here(), 1);
    icl_text_deinit(&text);
}

static void test_file__reading_refuses_what_is_too_large_or_missing(void **state)
{
    icl_text text = { 0 };
    assert_int_equal(icl_file_write_atomic("a.txt", "12345678", 8), ICL_OK);
    assert_int_equal(icl_file_read(&text, "a.txt", 7), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "\"a.txt\" is larger than 7 bytes");
    assert_int_equal(icl_file_read(&text, "none.txt", 7), ICL_EIO);
    assert_string_equal(icl_error_message(), "cannot open \"none.txt\": No such file or directory");
    assert_int_equal(icl_file_read(&text, ".", 7), ICL_EIO);
    assert_string_equal(icl_error_message(), "cannot read \".\": Is a directory");
    icl_text_deinit(&text);
}

/* Opening a pipe would wait for a writer; a file of holes has a size without taking room. */
static void test_file__only_regular_files_of_the_size_are_read(void **state)
{
    (void)state;
    icl_text text = { 0 };
    assert_int_equal(icl_file_write_atomic("a.txt", "12345678", 8), ICL_OK);
    assert_int_equal(icl_file_read_regular(&text, "a.txt", 8), ICL_OK);
    assert_int_equal(truncate("a.txt", (off_t)1 << 40), 0);
    assert_int_equal(icl_file_read_regular(&text, "a.txt", 8), ICL_EPARSE);
    assert_string_equal(icl_error_message(), "\"a.txt\" is larger than 8 bytes");
    assert_int_equal(icl_file_read_regular(&text, "none.txt", 8), ICL_EIO);
    assert_string_equal(icl_error_message(), "cannot open \"none.txt\": No such file or directory");
    assert_int_equal(mkfifo("pipe", 0600), 0);
    const char *const others[] = { "pipe", ".", "/dev/zero" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char sentence[64];
        snprintf(sentence, sizeof sentence, "\"%s\" is not a regular file", others[i]);
        assert_int_equal(icl_file_read_regular(&text, others[i], 8), ICL_EPARSE);
        assert_string_equal(icl_error_message(), sentence);
    }
    assert_int_equal(unlink("pipe"), 0);
    assert_int_equal(text.length, 8);
    icl_text_deinit(&text);
}

static void test_file__a_failed_write_leaves_the_old_file_and_no_litter(void **state)
{
    assert_int_equal(mkdir("taken", 0777), 0);
    assert_int_equal(icl_file_write_atomic("taken/inside", "old", 3), ICL_OK);
    assert_int_equal(icl_file_write_atomic("taken", "new", 3), ICL_EIO);
    assert_string_equal(icl_error_message(), "cannot write \"taken\": Is a directory");
    assert_int_equal(icl_file_write_atomic("missing/file", "new", 3), ICL_EIO);
    assert_string_equal(icl_error_message(),
                        "cannot write \"missing/file\": No such file or directory");
    assert_int_equal(files_here(), 1);
}

static void test_file__a_draft_is_seen_when_it_is_committed_and_never_when_abandoned(void **state)
{
    icl_text text = { 0 };
    icl_file_draft draft = { 0 };
    icl_file_abandon(&draft);
    assert_int_equal(icl_file_write_atomic("a.txt", "old", 3), ICL_OK);
    assert_int_equal(icl_file_draft_open(&draft, "a.txt"), ICL_OK);
    icl_file_draft_write(&draft, "new", 3);
    icl_file_abandon(&draft);
    assert_int_equal(files_here(), 1);
    assert_int_equal(icl_file_draft_open(&draft, "a.txt"), ICL_OK);
    icl_file_draft_write(&draft, "one, ", 5);
    icl_file_draft_write(&draft, "two", 3);
    assert_int_equal(icl_file_read(&text, "a.txt", 100), ICL_OK);
    assert_string_equal(text.bytes, "old");
    assert_int_equal(icl_file_commit(&draft), ICL_OK);
    icl_text_clear(&text);
    assert_int_equal(icl_file_read(&text, "a.txt", 100), ICL_OK);
    assert_string_equal(text.bytes, "one, two");
    assert_int_equal(files_here(), 1);
    icl_text_deinit(&text);
}

static void test_file__folders_are_created_with_their_parents(void **state)
{
    struct stat info;
    assert_int_equal(icl_folder_create("a/b/c"), ICL_OK);
    assert_int_equal(icl_folder_create("a/b/c/"), ICL_OK);
    assert_int_equal(icl_folder_create("."), ICL_OK);
    assert_int_equal(icl_folder_create("/"), ICL_OK);
    assert_int_equal(stat("a/b/c", &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(icl_file_write_atomic("a/file", "", 0), ICL_OK);
    assert_int_equal(icl_folder_create("a/file/d"), ICL_EIO);
    assert_string_equal(icl_error_message(), "cannot create folder \"a/file\": Not a directory");
}

static FILE *stream_of(const char *bytes, size_t length)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    rewind(stream);
    return stream;
}

static void test_file__lines_end_in_newline_or_the_end(void **state)
{
    static const char bytes[] = "one\ntwo\r\n\n\r\nfi\rve\nsix\0!";
    static const struct {
        const char *bytes;
        size_t length;
    } lines[] = {
        { "one", 3 }, { "two", 3 }, { "", 0 }, { "", 0 }, { "fi\rve", 5 }, { "six\0!", 5 }
    };
    FILE *stream = stream_of(bytes, sizeof bytes - 1);
    icl_text line = { 0 };
    bool too_long = true;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_true(icl_line_read(&line, stream, &too_long));
        assert_false(too_long);
        assert_int_equal(line.length, lines[i].length);
        assert_memory_equal(icl_text_string(&line), lines[i].bytes, lines[i].length);
    }
    assert_false(icl_line_read(&line, stream, &too_long));
    icl_text_deinit(&line);
    fclose(stream);
}

/* A line one byte above the limit is told apart from one at the limit; the next line is whole. */
static void test_file__a_line_above_the_limit_is_skipped_in_bounded_memory(void **state)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    char *chunk = malloc(ICL_LINE_BYTES_MAX);
    assert_non_null(chunk);
    memset(chunk, 'x', ICL_LINE_BYTES_MAX);
    fwrite(chunk, 1, ICL_LINE_BYTES_MAX, stream);
    fputs("\n", stream);
    for (int i = 0; i < 6; i++) fwrite(chunk, 1, ICL_LINE_BYTES_MAX, stream);
    fputs("x\nnext\n", stream);
    rewind(stream);
    free(chunk);

    icl_text line = { 0 };
    bool too_long = false;
    assert_true(icl_line_read(&line, stream, &too_long));
    assert_false(too_long);
    assert_int_equal(line.length, ICL_LINE_BYTES_MAX);
    assert_true(icl_line_read(&line, stream, &too_long));
    assert_true(too_long);
    assert_true(line.capacity <= 4 * (size_t)ICL_LINE_BYTES_MAX);
    assert_true(icl_line_read(&line, stream, &too_long));
    assert_false(too_long);
    assert_string_equal(line.bytes, "next");
    icl_text_deinit(&line);
    fclose(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file__what_is_written_is_read_back, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(test_file__reading_refuses_what_is_too_large_or_missing,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_file__only_regular_files_of_the_size_are_read,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(test_file__a_failed_write_leaves_the_old_file_and_no_litter,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(
            test_file__a_draft_is_seen_when_it_is_committed_and_never_when_abandoned, enter_scratch,
            leave_scratch),
        cmocka_unit_test_setup_teardown(test_file__folders_are_created_with_their_parents,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test(test_file__lines_end_in_newline_or_the_end),
        cmocka_unit_test(test_file__a_line_above_the_limit_is_skipped_in_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
