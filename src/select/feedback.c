#include "select/feedback.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/bm25.h"
#include "math/logspace.h"
#include "template/ask.h"

enum { PROMPTS_AT_ONCE = 512 };

size_t icl_feedback_width(const icl_select_input *input, size_t wanted)
{
    const size_t others = input->pool_count > 0 ? input->pool_count - 1 : 0;
    return wanted < others ? wanted : others;
}

bool icl_feedback_tells(const icl_feedback *feedback, size_t item)
{
    const double *nats = feedback->nats + item * feedback->width;
    return nats[0] > nats[feedback->width - 1];
}

void icl_feedback_deinit(icl_feedback *feedback)
{
    free(feedback->candidates);
    free(feedback->nats);
    *feedback = (icl_feedback){ 0 };
}

/* ---- candidates ---- */

static icl_status candidates_by_words(icl_scored *out, const icl_select_input *input, size_t width)
{
    const icl_bm25_options options = icl_bm25_options_default();
    icl_bm25 *index = NULL;
    ICL_TRY(icl_bm25_new(&index, input->pool_texts, input->pool_count, &options, input->cancelled));
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < input->pool_count; i++) {
        status = icl_bm25_search(out + i * width, index, input->pool_texts[i], width, i);
        if (status == ICL_OK) status = icl_cancel_check(input->cancelled);
    }
    icl_bm25_free(index);
    return status;
}

/* ---- asking ---- */

/* A candidate of an item; its answer's place is `item * width + rank`. */
typedef struct question {
    size_t candidate, item, place;
} question;

/* Prompts that begin with the same demonstration stand together: the trie of a call shares it. */
static int by_candidate(const void *left, const void *right)
{
    const question *a = left, *b = right;
    if (a->candidate != b->candidate) return a->candidate < b->candidate ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

static icl_status list_questions(question **out, const icl_scored *found, size_t count,
                                 size_t width)
{
    question *questions = malloc(count * width * sizeof *questions);
    if (questions == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count * width);
    for (size_t i = 0; i < count * width; i++)
        questions[i] = (question){ .candidate = found[i].index, .item = i / width, .place = i };
    qsort(questions, count * width, sizeof *questions, by_candidate);
    *out = questions;
    return ICL_OK;
}

static icl_status ask_some(double *nats, const question *questions, size_t count,
                           const icl_select_input *input, const icl_feedback_options *options,
                           const char *method)
{
    icl_ask_prompt prompts[PROMPTS_AT_ONCE];
    const size_t labels = input->label_count;
    double *answers = malloc(count * labels * sizeof *answers);
    if (answers == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu answers", count);
    for (size_t i = 0; i < count; i++)
        prompts[i] = (icl_ask_prompt){ .shown = &questions[i].candidate,
                                       .shown_count = 1,
                                       .of = ICL_ASK_POOL,
                                       .item = questions[i].item };
    const icl_status status = icl_ask_labels(answers, input->asker, method, prompts, count);
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        double *row = answers + i * labels;
        if (options->normalise) icl_log_softmax(row, row, labels);
        nats[questions[i].place] = row[input->pool_labels[questions[i].item]];
    }
    free(answers);
    return status;
}

static icl_status ask_all(double *nats, const question *questions, size_t count, const icl_fit *fit,
                          const icl_select_input *input, const icl_feedback_options *options)
{
    const char *method = icl_fit_file_origin(fit->file)->method;
    for (size_t first = 0; first < count; first += PROMPTS_AT_ONCE) {
        const size_t left = count - first, some = left < PROMPTS_AT_ONCE ? left : PROMPTS_AT_ONCE;
        icl_fit_say(fit, "prompts asked", first, count);
        ICL_TRY(icl_cancel_check(input->cancelled));
        ICL_TRY(ask_some(nats, questions + first, some, input, options, method));
    }
    icl_fit_say(fit, "prompts asked", count, count);
    return ICL_OK;
}

/* ---- the order of the answers ---- */

/* Sorts `found`, whose scores are replaced by the answers, line by line into the feedback. */
static icl_status order_answers(icl_feedback *feedback, icl_scored *found)
{
    const size_t width = feedback->width, count = feedback->pool_count * width;
    bool same = true;
    for (size_t i = 0; i < count; i++) {
        same &= feedback->nats[i] == feedback->nats[0];
        found[i].score = feedback->nats[i];
    }
    if (same)
        return icl_error_set(ICL_EINVAL,
                             "all %zu answers of the model are the same (%g nats): there is "
                             "nothing to learn",
                             count, feedback->nats[0]);
    for (size_t i = 0; i < count; i += width) icl_topk(found + i, width, width);
    for (size_t i = 0; i < count; i++) {
        feedback->nats[i] = found[i].score;
        feedback->candidates[i] = found[i].index;
    }
    return ICL_OK;
}

icl_status icl_feedback_ask(icl_feedback *out, const icl_fit *fit, const icl_select_input *input,
                            const icl_feedback_options *options)
{
    const size_t width = icl_feedback_width(input, options->width);
    const size_t count = input->pool_count * width;
    icl_feedback feedback = { .pool_count = input->pool_count, .width = width };
    icl_scored *found = malloc(count * sizeof *found);
    question *questions = NULL;
    icl_status status = ICL_OK;
    feedback.candidates = malloc(count * sizeof *feedback.candidates);
    feedback.nats = malloc(count * sizeof *feedback.nats);
    if (found == NULL || feedback.candidates == NULL || feedback.nats == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", count);
    if (status == ICL_OK)
        status = options->retriever != NULL
                     ? icl_retriever_neighbours(found, options->retriever, input, width)
                     : candidates_by_words(found, input, width);
    if (status == ICL_OK) status = list_questions(&questions, found, input->pool_count, width);
    if (status == ICL_OK) status = ask_all(feedback.nats, questions, count, fit, input, options);
    if (status == ICL_OK) status = order_answers(&feedback, found);
    free(questions);
    free(found);
    if (status == ICL_OK)
        *out = feedback;
    else
        icl_feedback_deinit(&feedback);
    return status;
}
