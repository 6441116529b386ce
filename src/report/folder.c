#include "report/folder.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "report/figures.h"

icl_status icl_report_write_text(const char *folder, const char *name, const icl_text *content)
{
    icl_text path = { 0 };
    icl_text_printf(&path, "%s/%s", folder, name);
    icl_status status = icl_text_status(&path);
    if (status == ICL_OK) status = icl_text_status(content);
    if (status == ICL_OK)
        status = icl_file_write_atomic(path.bytes, icl_text_string(content), content->length);
    icl_text_deinit(&path);
    return status;
}

static icl_status print_object(char **out, const json_t *object, size_t flags)
{
    char *text = json_dumps(object, flags);
    if (text == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for the results");
    *out = text;
    return ICL_OK;
}

icl_status icl_report_write_object(const char *folder, const char *name, const json_t *object)
{
    char *text = NULL;
    icl_text bytes = { 0 };
    ICL_TRY(print_object(&text, object, REPORT_JSON_FLAGS | JSON_INDENT(2)));
    icl_text_append_string(&bytes, text);
    icl_text_append_char(&bytes, '\n');
    const icl_status status = icl_report_write_text(folder, name, &bytes);
    icl_text_deinit(&bytes);
    free(text);
    return status;
}

icl_status icl_report_print_object(char **out_json, const json_t *object)
{
    return print_object(out_json, object, REPORT_JSON_FLAGS);
}
