#include "template/flip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

icl_status icl_flip_init(icl_flip *out, const char *tail, size_t tail_length,
                         const char *answer_prefix)
{
    icl_text between = { 0 };
    icl_text_append(&between, tail, tail_length);
    icl_text_append_string(&between, answer_prefix);
    const char *text = icl_text_string(&between);
    const size_t blanks = strspn(text, " \t\r\n");
    icl_flip flip = { .cue = icl_string_copy(text + blanks, strlen(text + blanks)),
                      .join = blanks > 0 ? icl_string_copy(text, blanks) : icl_string_copy(" ", 1),
                      .tail_length = tail_length };
    const icl_status status = icl_text_status(&between);
    icl_text_deinit(&between);
    if (status != ICL_OK || flip.cue == NULL || flip.join == NULL) {
        icl_flip_deinit(&flip);
        return icl_error_set(ICL_ENOMEM, "out of memory for a template");
    }
    *out = flip;
    return ICL_OK;
}

void icl_flip_deinit(icl_flip *flip)
{
    free(flip->cue);
    free(flip->join);
    *flip = (icl_flip){ 0 };
}

char *icl_flip_answer(const icl_flip *flip, const char *words)
{
    icl_text text = { 0 };
    icl_text_append_string(&text, flip->cue);
    icl_text_append_string(&text, words);
    return icl_text_take(&text, NULL);
}

char *icl_flip_input(const icl_flip *flip, const char *rendered)
{
    const size_t length = strlen(rendered);
    assert(length >= flip->tail_length);
    return icl_string_copy(rendered, length - flip->tail_length);
}
