#include "template/ask.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"

const char *const icl_content_free_inputs[ICL_CONTENT_FREE_COUNT] = { "N/A", "", "[MASK]" };

static icl_status refuse(const icl_asker *asker, const char *method, const icl_ask_prompt *prompt,
                         double nats)
{
    char shown[ICL_QUOTE_BYTES];
    const char *text = NULL;
    switch (prompt->of) {
    case ICL_ASK_POOL:
        return icl_error_set(ICL_EMODEL,
                             "method \"%s\": the model's score for pool item %zu is %g", method,
                             prompt->item, nats);
    case ICL_ASK_QUERY:
        text = asker->query_ids[prompt->item];
        return icl_error_set(ICL_EMODEL, "method \"%s\": the model's score for query %s is %g",
                             method, icl_quote(shown, text, strlen(text)), nats);
    case ICL_ASK_CONTENT_FREE: text = icl_content_free_inputs[prompt->item]; break;
    case ICL_ASK_WRITTEN: text = prompt->written; break;
    }
    return icl_error_set(ICL_EMODEL, "method \"%s\": the model's score for the input %s is %g",
                         method, icl_quote(shown, text, strlen(text)), nats);
}

icl_status icl_ask_labels(double *out_nats, const icl_asker *asker, const char *method,
                          const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(asker->labels(asker->user, out_nats, prompts, count));
    for (size_t i = 0; i < count * asker->label_count; i++)
        if (!isfinite(out_nats[i]))
            return refuse(asker, method, &prompts[i / asker->label_count], out_nats[i]);
    return ICL_OK;
}

static icl_status check_texts(const icl_ask_text *texts, const icl_asker *asker, const char *method,
                              const icl_ask_prompt *prompts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(texts[i].nats)) return refuse(asker, method, &prompts[i], texts[i].nats);
    return ICL_OK;
}

icl_status icl_ask_answers(icl_ask_text *out, const icl_asker *asker, const char *method,
                           const icl_ask_prompt *prompts, const size_t *labels, size_t count)
{
    ICL_TRY(asker->answers(asker->user, out, prompts, labels, count));
    return check_texts(out, asker, method, prompts, count);
}

icl_status icl_ask_inputs(icl_ask_text *out, const icl_asker *asker, const char *method,
                          const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(asker->inputs(asker->user, out, prompts, count));
    return check_texts(out, asker, method, prompts, count);
}

icl_status icl_ask_texts(icl_ask_text *out, const icl_asker *asker, const char *method,
                         const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(asker->texts(asker->user, out, prompts, count));
    return check_texts(out, asker, method, prompts, count);
}
