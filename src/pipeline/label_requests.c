#include "pipeline/label_requests.h"

#include <stdint.h>

#include "base/error.h"

static size_t label_count(const icl_verbalizer *verbalizer)
{
    return icl_label_space_count(icl_verbalizer_labels(verbalizer));
}

size_t icl_label_request_count(const icl_verbalizer *verbalizer)
{
    size_t count = 0;
    for (size_t label = 0; label < label_count(verbalizer); label++)
        count += icl_verbalizer_word_count(verbalizer, label);
    return count;
}

icl_status icl_label_requests_reserve(icl_prompter *prompter, const icl_verbalizer *verbalizer)
{
    for (size_t label = 0; label < label_count(verbalizer); label++)
        for (size_t name = 0; name < icl_verbalizer_word_count(verbalizer, label); name++)
            ICL_TRY(icl_prompter_reserve_answer(prompter,
                                                icl_verbalizer_word(verbalizer, label, name)));
    return ICL_OK;
}

/* Labels that merge with the prompt's end are conditioned on fewer of its tokens; each such length
 * is its own prefix. */
icl_status icl_label_requests_add(icl_label_request *out, icl_batch *batch, icl_prompter *prompter,
                                  const icl_verbalizer *verbalizer, const icl_prompt *prompt)
{
    size_t known_count = SIZE_MAX, known_prefix = 0, request;
    for (size_t label = 0; label < label_count(verbalizer); label++)
        for (size_t name = 0; name < icl_verbalizer_word_count(verbalizer, label); name++) {
            const char *words = icl_verbalizer_word(verbalizer, label, name);
            icl_answer answer;
            ICL_TRY(icl_prompter_answer(&answer, prompter, prompt, words));
            if (answer.prefix_count != known_count) {
                known_count = answer.prefix_count;
                ICL_TRY(icl_batch_add_prefix(batch, prompt->tokens, known_count, &known_prefix));
            }
            ICL_TRY(icl_batch_add_score(batch, known_prefix, answer.tokens, answer.token_count,
                                        &request));
            *out++ = (icl_label_request){ .label = label,
                                          .name = name,
                                          .words = words,
                                          .prefix_count = known_count,
                                          .token_count = answer.token_count,
                                          .request = request,
                                          .merged = answer.merged };
        }
    return ICL_OK;
}
