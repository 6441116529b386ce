/* data/csv.h - comma- or tab-separated records (RFC 4180) from a stream, one at a time.
 *
 *   icl_csv *csv = NULL;
 *   icl_status status = icl_csv_new(&csv, stream, "train.csv", ',');   // reads the header line
 *   bool more = true;
 *   while (status == ICL_OK && (status = icl_csv_next(csv, &more)) == ICL_OK && more)
 *       puts(icl_csv_cell(csv, 0));
 *   icl_csv_free(csv);
 */
#ifndef ICL_DATA_CSV_H
#define ICL_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <icl/status.h>

typedef struct icl_csv icl_csv;

/* A cell in double quotes may hold the separator, line ends and doubled quotes; a quote inside an
 * unquoted cell is plain text. Lines end in \n, \r\n or \r; blank lines are skipped. `stream` and
 * `name` are borrowed. ICL_EPARSE, with file and line: no header, a column name that stands twice,
 * and everything icl_csv_next reports. */
icl_status icl_csv_new(icl_csv **out, FILE *stream, const char *name, char separator);
void icl_csv_free(icl_csv *csv);

/* The next record; *out_more is false at the end. ICL_EPARSE: more or fewer cells than the header,
 * text after a closing quote, a quote that never closes, a record above ICL_LINE_BYTES_MAX, invalid
 * UTF-8, a NUL byte. ICL_EIO; ICL_ENOMEM. Reading ends at the first failure. */
icl_status icl_csv_next(icl_csv *csv, bool *out_more);

size_t icl_csv_column_count(const icl_csv *csv);
const char *icl_csv_column(const icl_csv *csv, size_t column); /* header name */
const char *icl_csv_cell(const icl_csv *csv, size_t column);   /* until the next icl_csv_next */
size_t icl_csv_cell_length(const icl_csv *csv, size_t column);
size_t icl_csv_line(const icl_csv *csv); /* line the current record starts on, from 1 */

#endif
