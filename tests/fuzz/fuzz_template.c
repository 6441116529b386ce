/* Hazards: tags without end, brackets across tags, deep nesting, loops and repetition that grow,
 * values that hold themselves. Every input renders or gives a sentence; what renders once renders
 * the same again, and the text is valid UTF-8. The first byte picks the options. */
#undef NDEBUG /* the checks are the point, in any build */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "template/jinja.h"

static json_t *context_new(void)
{
    static const char text[] =
        "{\"text\": \"Ein Stra\\u00dfe \", \"n\": 7, \"f\": 2.5, \"xs\": [3, 1, 2], \"yes\": true,"
        " \"d\": {\"a\": 1, \"b\": [null, \"x\"]}, \"rows\": [{\"k\": \"v\", \"i\": 1}, {\"k\": "
        "\"w\"}]}";
    return json_loads(text, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A short source can still ask for all the steps allowed; that is tested elsewhere. */
    if (size == 0 || size > 4096) return 0;
    const icl_jinja_options options = { .trim_blocks = (data[0] & 1) != 0,
                                        .lstrip_blocks = (data[0] & 2) != 0,
                                        .lenient_undefined = (data[0] & 4) != 0 };
    icl_jinja *tmpl = NULL;
    icl_status status =
        icl_jinja_parse_with(&tmpl, (const char *)data + 1, size - 1, "fuzz", &options);
    if (status != ICL_OK) {
        assert(tmpl == NULL && strncmp(icl_error_message(), "fuzz:", 5) == 0);
        return 0;
    }
    json_t *context = context_new();
    icl_text first = { 0 }, again = { 0 };
    icl_text_append_string(&first, "kept");
    status = icl_jinja_render(&first, tmpl, context);
    assert(strncmp(first.bytes, "kept", 4) == 0);
    if (status == ICL_OK) {
        assert(icl_utf8_valid_length(first.bytes, first.length) == first.length);
        assert(icl_jinja_render(&again, tmpl, context) == ICL_OK);
        assert(again.length == first.length - 4);
        assert(again.length == 0 || memcmp(again.bytes, first.bytes + 4, again.length) == 0);
    } else {
        assert(first.length == 4 && icl_error_message()[0] != '\0');
    }
    icl_text_deinit(&first);
    icl_text_deinit(&again);
    json_decref(context);
    icl_jinja_free(tmpl);
    return 0;
}
