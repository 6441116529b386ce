/* tests/rows.h - rows of data written in a test.
 *
 *   icl_dataset *rows = rows_of("a.jsonl", "{\"text\":\"a\",\"label\":\"x\",\"n\":3}\n");
 *   icl_dataset_close(rows);
 */
#ifndef TESTS_ROWS_H
#define TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <icl/dataset.h>

/* The name tells the format, as that of a file does. */
static inline icl_dataset *rows_of(const char *name, const char *text)
{
    icl_dataset *rows = NULL;
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(stream);
    if (icl_dataset_read(&rows, stream, name, NULL) != ICL_OK)
        fail_msg("%s: %s", name, icl_error_message());
    fclose(stream);
    return rows;
}

#endif
