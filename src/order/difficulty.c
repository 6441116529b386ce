#include "order/difficulty.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "data/field.h"
#include "math/logspace.h"
#include "template/ask.h"

#define RATING_QUESTION "How difficult is this example, from 1 (easy) to 5 (hard)? "

static const char *const ratings[] = { RATING_QUESTION "1", RATING_QUESTION "2",
                                       RATING_QUESTION "3", RATING_QUESTION "4",
                                       RATING_QUESTION "5" };
enum { RATINGS = sizeof ratings / sizeof *ratings };

void icl_difficulty_by_length(double *out, const icl_order_input *input, const size_t *items,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = input->pool_texts[items[i]];
        out[i] = (double)icl_utf8_count(text, strlen(text));
    }
}

icl_status icl_difficulty_by_perplexity(double *out, const icl_order_input *input,
                                        const char *method, bool whole, const size_t *items,
                                        size_t count)
{
    icl_ask_prompt *prompts = calloc(count + 1, sizeof *prompts);
    size_t *labels = calloc(count + 1, sizeof *labels);
    icl_ask_text *answers = malloc((count + 1) * sizeof *answers);
    icl_ask_text *inputs = calloc(count + 1, sizeof *inputs);
    icl_status status = ICL_OK;
    if (prompts == NULL || labels == NULL || answers == NULL || inputs == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
        goto cleanup;
    }
    for (size_t i = 0; i < count; i++) {
        prompts[i] = (icl_ask_prompt){ .of = ICL_ASK_POOL, .item = items[i] };
        labels[i] = input->pool_labels[items[i]];
    }
    status = icl_ask_answers(answers, input->asker, method, prompts, labels, count);
    if (status == ICL_OK && whole)
        status = icl_ask_inputs(inputs, input->asker, method, prompts, count);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        out[i] =
            -(answers[i].nats + inputs[i].nats) / (double)(answers[i].tokens + inputs[i].tokens);

cleanup:
    free(inputs);
    free(answers);
    free(labels);
    free(prompts);
    return status;
}

/* From the nats of the question with each number as its answer: what else they hold is the same. */
static double mean_rating(const icl_ask_text texts[RATINGS])
{
    double shares[RATINGS], mean = 0;
    for (size_t r = 0; r < RATINGS; r++) shares[r] = texts[r].nats;
    icl_softmax(shares, shares, RATINGS);
    for (size_t r = 0; r < RATINGS; r++) mean += (double)(r + 1) * shares[r];
    return mean;
}

icl_status icl_difficulty_by_rating(double *out, const icl_order_input *input, const char *method,
                                    const size_t *items, size_t count)
{
    icl_ask_prompt *prompts = calloc(count * RATINGS + 1, sizeof *prompts);
    icl_ask_text *texts = malloc((count * RATINGS + 1) * sizeof *texts);
    icl_status status = ICL_OK;
    if (prompts == NULL || texts == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count * RATINGS);
        goto cleanup;
    }
    for (size_t i = 0; i < count * RATINGS; i++)
        prompts[i] = (icl_ask_prompt){ .shown = &items[i / RATINGS],
                                       .shown_count = 1,
                                       .of = ICL_ASK_WRITTEN,
                                       .written = ratings[i % RATINGS] };
    status = icl_ask_inputs(texts, input->asker, method, prompts, count * RATINGS);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        out[i] = mean_rating(texts + i * RATINGS);

cleanup:
    free(texts);
    free(prompts);
    return status;
}

icl_status icl_difficulty_by_field(double *out, const icl_order_input *input, const char *field,
                                   const size_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ICL_TRY(icl_field_number(&out[i], icl_dataset_at(input->pool_rows, items[i]), field));
    return ICL_OK;
}
