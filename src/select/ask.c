#include "select/ask.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"

static icl_status refuse(const icl_select_input *input, const char *method,
                         const icl_ask_prompt *prompt, double nats)
{
    if (prompt->of == ICL_ASK_POOL)
        return icl_error_set(ICL_EMODEL,
                             "select method \"%s\": the model's score for pool item %zu is %g",
                             method, prompt->item, nats);
    const char *id = input->query_ids[prompt->item];
    char shown[ICL_QUOTE_BYTES];
    return icl_error_set(ICL_EMODEL, "select method \"%s\": the model's score for query %s is %g",
                         method, icl_quote(shown, id, strlen(id)), nats);
}

icl_status icl_ask_labels(double *out_nats, const icl_select_input *input, const char *method,
                          const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(input->asker->labels(input->asker->user, out_nats, prompts, count));
    for (size_t i = 0; i < count * input->label_count; i++)
        if (!isfinite(out_nats[i]))
            return refuse(input, method, &prompts[i / input->label_count], out_nats[i]);
    return ICL_OK;
}

static icl_status check_texts(const icl_ask_text *texts, const icl_select_input *input,
                              const char *method, const icl_ask_prompt *prompts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(texts[i].nats)) return refuse(input, method, &prompts[i], texts[i].nats);
    return ICL_OK;
}

icl_status icl_ask_inputs(icl_ask_text *out, const icl_select_input *input, const char *method,
                          const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(input->asker->inputs(input->asker->user, out, prompts, count));
    return check_texts(out, input, method, prompts, count);
}

icl_status icl_ask_texts(icl_ask_text *out, const icl_select_input *input, const char *method,
                         const icl_ask_prompt *prompts, size_t count)
{
    ICL_TRY(input->asker->texts(input->asker->user, out, prompts, count));
    return check_texts(out, input, method, prompts, count);
}
