#include "score/score.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/registry.h"
#include "base/text.h"
#include "math/logspace.h"

#define ICL_SCORE_METHOD(name) extern const icl_score_method icl_score_##name;
#include "score/registry.def"
#undef ICL_SCORE_METHOD

static const icl_score_method *const methods[] = {
#define ICL_SCORE_METHOD(name) &icl_score_##name,
#include "score/registry.def"
#undef ICL_SCORE_METHOD
};

static const icl_card *const cards[] = {
#define ICL_SCORE_METHOD(name) &icl_score_##name.card,
#include "score/registry.def"
#undef ICL_SCORE_METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const char *const icl_score_part_names[] = {
    [ICL_SCORE_ANSWER] = "answer",
    [ICL_SCORE_WHOLE] = "whole",
    [ICL_SCORE_INPUT] = "input",
    [ICL_SCORE_UNCONDITIONAL] = "unconditional",
    [ICL_SCORE_ANSWER_EACH] = "answer-each",
    [ICL_SCORE_INPUT_EACH] = "input-each",
    [ICL_SCORE_NEXT] = "next",
    [ICL_SCORE_HIDDEN] = "hidden",
    [ICL_SCORE_PART_COUNT] = NULL,
};

const icl_score_method *const *icl_score_methods(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return methods;
}

const icl_card *const *icl_score_cards(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return cards;
}

icl_status icl_score_find(const icl_score_method **out, const char *name)
{
    size_t index = 0;
    ICL_TRY(icl_registry_find(&index, cards, METHOD_COUNT, "score", name));
    *out = methods[index];
    return ICL_OK;
}

icl_score_wants icl_score_wanted(const icl_score_method *method, const icl_options *options)
{
    return method->wants(options);
}

static icl_status unknown_part(const char *name, size_t length)
{
    char shown[ICL_QUOTE_BYTES];
    char *copy = icl_string_copy(name, length);
    const size_t nearest =
        copy == NULL ? ICL_SCORE_CELL_PART_COUNT
                     : icl_nearest_name(copy, icl_score_part_names, ICL_SCORE_CELL_PART_COUNT);
    free(copy);
    icl_quote(shown, name, length);
    if (nearest < ICL_SCORE_CELL_PART_COUNT)
        return icl_error_set(ICL_ENOTFOUND, "unknown part %s to record; did you mean \"%s\"?",
                             shown, icl_score_part_names[nearest]);
    return icl_error_set(ICL_ENOTFOUND,
                         "unknown part %s to record; there are answer, whole, input, "
                         "unconditional, answer-each and input-each",
                         shown);
}

icl_status icl_score_parts_parse(unsigned *out_parts, const char *list)
{
    unsigned parts = 0;
    for (const char *at = list; *at != '\0';) {
        const size_t length = strcspn(at, ",");
        size_t part = 0;
        while (part < ICL_SCORE_CELL_PART_COUNT &&
               (strlen(icl_score_part_names[part]) != length ||
                memcmp(icl_score_part_names[part], at, length) != 0))
            part++;
        if (part == ICL_SCORE_CELL_PART_COUNT) return unknown_part(at, length);
        parts |= 1u << part;
        at += length + (at[length] == ',');
    }
    *out_parts = parts;
    return ICL_OK;
}

bool icl_score_wants_part(const icl_score_wants *wants, icl_score_part part)
{
    return (wants->parts & (1u << part)) != 0;
}

bool icl_score_part_is_each(icl_score_part part)
{
    return part == ICL_SCORE_ANSWER_EACH || part == ICL_SCORE_INPUT_EACH;
}

size_t icl_score_block_count(const icl_score_row *row, icl_score_part part)
{
    return icl_score_part_is_each(part) && row->shown_count > 0 ? row->shown_count : 1;
}

static icl_status check_row(const icl_score_input *input, size_t row)
{
    const icl_score_row *of = &input->rows[row];
    for (size_t part = 0; part < ICL_SCORE_PART_COUNT; part++) {
        if (of->cells[part] == NULL) continue;
        const size_t count = icl_score_block_count(of, (icl_score_part)part) * input->name_count;
        for (size_t i = 0; i < count; i++)
            if (!icl_log_all_valid(&of->cells[part][i].nats, 1))
                return icl_error_set(ICL_EMODEL,
                                     "\"%s\": the model's %s score is %g, which is no "
                                     "log-probability",
                                     input->row_names[row], icl_score_part_names[part],
                                     of->cells[part][i].nats);
    }
    return ICL_OK;
}

icl_status icl_score_run(double *out, const icl_score_method *method, const icl_score_input *input,
                         const icl_options *options)
{
    const size_t count = input->row_count * input->label_count;
    for (size_t row = 0; row < input->row_count; row++) ICL_TRY(check_row(input, row));
    double *scores = calloc(count + 1, sizeof *scores);
    if (scores == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu scores", count);
    icl_status status = method->run(scores, input, options);
    if (status == ICL_OK) status = icl_cancel_check(input->cancelled);
    if (status == ICL_OK) memcpy(out, scores, count * sizeof *scores);
    free(scores);
    return status;
}

/* Names first .. first + count - 1 of a block, as one score. */
static double joined(const icl_score_cell *cells, size_t count, const icl_score_term *term)
{
    double score = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double of_name =
            icl_normalise_logprob(cells[i].nats, term->normalise, &cells[i].size);
        const double both[2] = { score, of_name };
        if (count == 1 || (term->join == ICL_NAMES_BEST && of_name > score))
            score = of_name;
        else if (term->join != ICL_NAMES_BEST)
            score = icl_logsumexp(both, 2);
    }
    return term->join == ICL_NAMES_MEAN ? score - log((double)count) : score;
}

static void add_block(double *out, const icl_score_input *input, const icl_score_cell *cells,
                      const icl_score_term *term, double weight)
{
    for (size_t label = 0, name = 0; label < input->label_count; label++) {
        const size_t first = name;
        while (name < input->name_count && input->name_labels[name] == label) name++;
        const double score = joined(&cells[first], name - first, term);
        out[label] += weight * (weight < 0 ? fmax(score, log(DBL_MIN)) : score);
    }
}

void icl_score_add(double *out, const icl_score_input *input, const icl_score_term *term,
                   double weight)
{
    if (weight == 0) return; /* 0 times -inf is no number */
    for (size_t r = 0; r < input->row_count; r++) {
        const icl_score_row *row = &input->rows[r];
        for (size_t block = 0; block < icl_score_block_count(row, term->part); block++)
            add_block(&out[r * input->label_count], input,
                      &row->cells[term->part][block * input->name_count], term, weight);
    }
}

void icl_score_add_information(double *out, const icl_score_input *input, icl_normalise normalise)
{
    const icl_score_term with = { ICL_SCORE_ANSWER, normalise, ICL_NAMES_SUM };
    const icl_score_term without = { ICL_SCORE_UNCONDITIONAL, normalise, ICL_NAMES_SUM };
    icl_score_add(out, input, &with, 1);
    icl_score_add(out, input, &without, -1);
}

icl_normalise icl_score_normalise(const icl_options *options)
{
    return (icl_normalise)icl_options_int(options, "normalise");
}
