/* tests/write_file.h - a file that holds a text; included after cmocka.h. */
#ifndef TESTS_WRITE_FILE_H
#define TESTS_WRITE_FILE_H

#include <stdio.h>

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#endif
