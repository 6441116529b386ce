/* report/folder.h - files of a results folder, each written beside its place and renamed. */
#ifndef ICL_REPORT_FOLDER_H
#define ICL_REPORT_FOLDER_H

#include <jansson.h>

#include "base/text.h"

/* ICL_EIO; ICL_ENOMEM, also when the content ran out of memory. */
icl_status icl_report_write_text(const char *folder, const char *name, const icl_text *content);

/* Indented, with a newline behind it. */
icl_status icl_report_write_object(const char *folder, const char *name, const json_t *object);

/* One line without newline; malloc'd, yours. */
icl_status icl_report_print_object(char **out_json, const json_t *object);

#endif
